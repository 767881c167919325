import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Chat, chatStub, conversationsStub, detailsOf, failure, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { spawnServer } from '../outside/system.ts';

const UNLIMITED = { CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '1000000' };

describe('a server that dies', function () {
  this.timeout(60_000);
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  it('keeps every acknowledged message exactly once, in order and without gaps, through three kills in a storm', async () => {
    const env = { DATA_DIR: dataDir, ...UNLIMITED };
    let server = await spawnServer(env);
    const people = await Promise.all(['ada', 'bob', 'cleo', 'dan'].map((name) => register(server.url, name)));
    const acknowledged = new Map<string, { conversation: string; seq: string }>();
    for (let round = 1; round <= 3; round++) {
      const storm = people.flatMap((sender) => {
        const friends = people.filter((p) => p !== sender);
        return friends.map((friend) => pour(server.url, sender, friend, `r${round}`, acknowledged));
      });
      const target = acknowledged.size + 400;
      while (acknowledged.size < target) await new Promise((resolve) => setTimeout(resolve, 5));
      await server.kill();
      await Promise.all(storm);
      await server[Symbol.asyncDispose]();
      server = await spawnServer(env);
    }
    assert.ok(acknowledged.size >= 1_200);
    for (const [i, one] of people.entries()) {
      for (const other of people.slice(i + 1)) {
        const conversation = `${one.username}:${other.username}`;
        const entries = await wholeLog(server.url, one, conversation);
        assert.deepEqual(
          entries.map((e) => Number(e.seq)),
          entries.map((_, at) => at + 1),
        );
        const ids = entries.map((e) => `${e.sender} ${conversation} ${e.client_id}`);
        assert.equal(new Set(ids).size, ids.length, 'no client id twice');
        const seqs = new Map(entries.map((e, at) => [ids[at], e.seq]));
        for (const [id, ack] of acknowledged) {
          if (ack.conversation === conversation)
            assert.equal(seqs.get(id), ack.seq, `${id} was acknowledged`);
        }
        const order = entries.filter((e) => e.sender === one.username).map((e) => e.client_id);
        assert.deepEqual(order, order.toSorted(byRoundAndNumber), 'in the order of sending');
      }
    }
    await server.terminate();
  });

  it('told to stop, tells streams to reconnect, keeps what it accepted, and ends with 0', async () => {
    const server = await spawnServer({ DATA_DIR: dataDir });
    const [ada, bob] = await Promise.all([register(server.url, 'ada'), register(server.url, 'bob')]);
    const chat = new Chat(chatStub(server.url), { token: ada.token });
    await chat.opened();
    for (let i = 0; i < 50; i++) chat.write({ friend: bob.username, message: `${i}`, client_id: `id-${i}` });
    await chat.take(1);
    const code = await server.terminate();
    const end = await chat.ended;
    assert.equal(end.code, status.UNAVAILABLE);
    assert.equal(detailsOf(end).reason, 'RECONNECT');
    assert.ok((detailsOf(end).retryDelayMs ?? 0) > 0);
    assert.equal(code, 0);
    const again = await spawnServer({ DATA_DIR: dataDir });
    const entries = await wholeLog(again.url, ada, 'ada:bob');
    for (const { client_id, seq } of chat.received)
      assert.equal(entries[Number(seq) - 1]?.client_id, client_id);
    await again.terminate();
  });

  it('refuses a data folder that another server uses', async () => {
    const server = await spawnServer({ DATA_DIR: dataDir });
    const error = await failure(spawnServer({ DATA_DIR: dataDir }));
    assert.match(error.message, /in use by another process/);
    await server.terminate();
  });

  it('lists everything that is wrong with its environment, in one go', async () => {
    const error = await failure(
      spawnServer({
        DATA_DIR: dataDir,
        PORT: '99999',
        CHATTERBOX_SEND_RATE: 'fast',
        CHATTERBOX_SEND_RAT: '5',
      }),
    );
    assert.match(error.message, /PORT must be a whole number from 0 to 65535, not "99999"/);
    assert.match(error.message, /CHATTERBOX_SEND_RATE must be a whole number/);
    assert.match(error.message, /CHATTERBOX_SEND_RAT is not a setting; did you mean CHATTERBOX_SEND_RATE\?/);
  });

  it('with a full disk refuses with a typed error, loses nothing it took, and goes on when there is room', async function () {
    if (!canMount()) this.skip();
    const shell = `mount -t tmpfs -o size=6m tmpfs ${dataDir} && exec ${process.execPath} scripts/start.ts`;
    const server = await spawnServer({ DATA_DIR: dataDir, ...UNLIMITED }, [
      'unshare',
      '--mount',
      '--map-root-user',
      'sh',
      '-c',
      shell,
    ]);
    const [ada, bob] = await Promise.all([register(server.url, 'ada'), register(server.url, 'bob')]);
    const stub = chatStub(server.url);
    const send = (n: number) =>
      unary(
        stub,
        'SendMessage',
        { friend: 'bob', message: `${n}`.padEnd(8_000, '.'), client_id: `id-${n}` },
        ada,
      );
    let sent = 0;
    let refusal: Awaited<ReturnType<typeof failure>> | undefined;
    while (refusal === undefined && sent < 2_000) {
      try {
        await send(sent + 1);
        sent++;
      } catch (error) {
        refusal = error as typeof refusal;
      }
    }
    assert.ok(refusal, 'the disk was filled');
    assert.deepEqual([refusal.code, detailsOf(refusal).reason], [status.UNAVAILABLE, 'UNAVAILABLE']);
    assert.doesNotMatch(refusal.details, /sqlite|SQLITE|disk I/);
    assert.equal((await wholeLog(server.url, bob, 'ada:bob')).length, sent);
    const inside = ['--target', String(server.pid), '--mount', '--user', '--preserve-credentials'];
    execFileSync('nsenter', [...inside, 'mount', '-o', 'remount,size=40m', dataDir]);
    await send(sent + 1);
    const entries = await wholeLog(server.url, bob, 'ada:bob');
    assert.deepEqual(
      entries.map((e) => e.client_id),
      Array.from({ length: sent + 1 }, (_, i) => `id-${i + 1}`),
    );
    await server.terminate();
  });
});

/** Whether a process here may mount a small disk of its own. */
function canMount(): boolean {
  return spawnSync('unshare', ['--mount', '--map-root-user', 'true']).status === 0;
}

/** Sends one after the other until the server is gone, and notes what it acknowledges. */
async function pour(
  url: string,
  from: Account,
  to: Account,
  round: string,
  acknowledged: Map<string, { conversation: string; seq: string }>,
): Promise<void> {
  const stub = chatStub(url);
  for (let n = 0; ; n++) {
    const client_id = `${round}-${n}`;
    try {
      const request = { friend: to.username, message: `${from.username} ${client_id}`, client_id };
      const { conversation, seq } = await unary(stub, 'SendMessage', request, from);
      acknowledged.set(`${from.username} ${conversation} ${client_id}`, { conversation, seq });
    } catch {
      stub.close();
      return;
    }
  }
}

async function wholeLog(url: string, { token }: Account, conversation: string): Promise<any[]> {
  const entries = [];
  const stub = conversationsStub(url);
  for (let pageToken = '', first = true; first || pageToken !== ''; first = false) {
    const page = await unary(
      stub,
      'ListEntries',
      { conversation, page_size: 100, page_token: pageToken },
      { token },
    );
    entries.push(...page.entries);
    pageToken = page.next_page_token;
  }
  stub.close();
  return entries;
}

function byRoundAndNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
