import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { type Chatterbox, startEmbedded } from '../../scripts/embedded.ts';
import { eventually } from '../outside/eventually.ts';
import {
  conversationsStub,
  detailsOf,
  failure,
  Session,
  type SessionFrame,
  sessionStub,
  unary,
} from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { restored } from '../outside/restored.ts';
import { spawnServer } from '../outside/system.ts';

describe('a log that was restored from a backup', function () {
  this.timeout(60_000);
  let folder: string;
  let data: string;
  let backup: string;
  let system: Chatterbox | undefined;
  let ada: Account;
  let bob: Account;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    [data, backup] = [join(folder, 'data'), join(folder, 'backup')];
  });
  afterEach(async () => {
    await stop();
    rmSync(folder, { recursive: true });
  });

  async function start(): Promise<void> {
    system = await startEmbedded({
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: data,
      CHATTERBOX_LOG_LEVEL: 'fatal',
    });
  }
  async function stop(): Promise<void> {
    await system?.[Symbol.asyncDispose]();
    system = undefined;
  }
  const url = () => system?.url ?? assert.fail('it runs');
  const send = async (...texts: string[]) => {
    for (const text of texts) await unary(sessionStub(url()), 'Send', { friend: 'bob', text }, ada);
  };
  const open = (opening: object = {}, more: object = {}) =>
    new Session(sessionStub(url()), bob, { open: { device: 'phone', ...opening }, ...more });

  /**
   * Bob's phone has a1 to a5 by the time of the backup, and a1 to a10 when the machine is lost. Fulfils with
   * the epoch.
   */
  async function liveAndLose(): Promise<string> {
    await start();
    [ada, bob] = await Promise.all([register(url(), 'ada'), register(url(), 'bob')]);
    const first = open();
    await first.caughtUp();
    await first.end();
    await send('a1', 'a2', 'a3', 'a4', 'a5');
    const epoch = await takeAll(5);
    await stop();
    // As docs/operations.md says: without the high-water file.
    cpSync(data, backup, { recursive: true, filter: (path) => !path.endsWith('high-water') });
    await start();
    await send('a6', 'a7', 'a8', 'a9', 'a10');
    assert.equal(await takeAll(10), epoch, 'a restart changes nothing');
    await eventually(async () =>
      assert.equal(readCursor(join(data, 'userinfo/graph.sqlite')), `${epoch}.10`),
    );
    await stop();
    return epoch;
  }

  /** Bob's phone acknowledges up to `seq`, which is the newest entry. Fulfils with the epoch. */
  async function takeAll(seq: number): Promise<string> {
    const session = open();
    const told = await session.caughtUp();
    session.write({ acks: [{ conversation: CONVERSATION, seq: `${seq}` }] });
    assert.equal((await session.end()).code, status.OK);
    return told[0]?.opened?.epoch ?? assert.fail('the first frame says the epoch');
  }

  /** Bob's phone knows all of the lost log, and the new one has grown beyond it. */
  async function checkAnew(lost: string): Promise<void> {
    await send('b6', 'b7', 'b8', 'b9', 'b10', 'b11', 'b12');
    const claim = {
      open: { epoch: lost, revision: '99' },
      positions: [{ conversation: CONVERSATION, seq: '10' }],
    };
    // What the opening acknowledges and reads is of the lost log too.
    const session = open(claim.open, {
      positions: claim.positions,
      acks: claim.positions,
      reads: claim.positions,
    });
    const told = await session.caughtUp();
    const epoch = told[0]?.opened?.epoch;
    assert.ok(epoch);
    assert.notEqual(epoch, lost);
    assert.equal(told.at(-1)?.caught_up?.epoch, epoch);
    assert.deepEqual(contentOf(told), { gaps: ['1-11'], entries: ['12 b12'] });
    assert.deepEqual(marksOf(told), ['ada', 'bob'], 'all marks come again');
    await session.cut();
    // Nothing was acknowledged, so the same is told again, though the device knows the epoch now.
    const again = open({ epoch });
    assert.deepEqual(contentOf(await again.caughtUp()), { gaps: ['1-11'], entries: ['12 b12'] });
    again.write({ acks: [{ conversation: CONVERSATION, seq: '12' }] });
    assert.equal((await again.end()).code, status.OK);
    const third = open({ epoch });
    assert.deepEqual(contentOf(await third.caughtUp()), { gaps: [], entries: [] });
    await third.end();
  }

  it('has a new epoch where its file alone was put back: the high-water file knows more', async () => {
    const lost = await liveAndLose();
    rmSync(join(data, 'userinfo'), { recursive: true });
    cpSync(join(backup, 'messenger/messages.db'), join(data, 'messenger/messages.db'));
    await start();
    await checkAnew(lost);
  });

  it('has a new epoch where a reader of the commits knows more, and ends the streams that were open before', async () => {
    const lost = await liveAndLose();
    rmSync(join(data, 'messenger'), { recursive: true });
    cpSync(join(backup, 'messenger'), join(data, 'messenger'), { recursive: true });
    await start();
    for (;;) {
      const session = open({ epoch: lost });
      const isAnew = await session.next().then(
        ({ opened }) => opened?.epoch !== lost,
        () => false,
      );
      if (isAnew) {
        await session.cut();
        break;
      }
      const { code } = await session.ended;
      assert.equal(code, status.UNAVAILABLE, 'until the reader has come');
    }
    await checkAnew(lost);
  });

  it('has a new epoch by `npm run restored` where all is as old as the backup', async () => {
    const lost = await liveAndLose();
    rmSync(data, { recursive: true });
    cpSync(backup, data, { recursive: true });
    assert.match(await restored(data), /new epoch/);
    await start();
    await checkAnew(lost);
  });

  it('is the same log after the server was killed in the middle of commits, however often', async () => {
    let account: Account | undefined;
    let known: string | undefined;
    for (let i = 0; i < 3; i++) {
      await using server = await spawnServer({ DATA_DIR: data });
      account ??= await register(server.url, 'ada');
      const session = new Session(sessionStub(server.url), account, { open: { device: 'phone' } });
      const [first] = await session.caughtUp();
      known ??= first?.opened?.epoch;
      assert.equal(first?.opened?.epoch, known);
      const sends = Array.from({ length: 200 }, (_, n) => ({
        friend: 'ada',
        text: `${n}`,
        client_id: `${i}-${n}`,
      }));
      for (const one of sends) session.write({ sends: [one] });
      await session.until((frame) => frame.results.length > 0);
      await server.kill();
    }
  });

  it('refuses page tokens of the former epoch, and `restored` while it runs', async () => {
    await liveAndLose();
    await start();
    const list = (page_token: string) =>
      unary(
        conversationsStub(url()),
        'ListEntries',
        { conversation: CONVERSATION, page_size: 2, page_token },
        bob,
      );
    const { next_page_token: token } = await list('');
    assert.equal((await list(token)).entries[0].seq, '3');
    assert.match(await restored(data), /is in use by another process/);
    await stop();
    await restored(data);
    await start();
    const refusal = await failure(list(token));
    assert.equal(refusal.code, status.INVALID_ARGUMENT);
    assert.deepEqual(detailsOf(refusal).fields, ['page_token']);
  });

  it('takes an epoch that none can be for a mistake', async () => {
    await liveAndLose();
    await start();
    for (const epoch of ['x'.repeat(65), 'a b', 'é']) {
      const { code, metadata } = await open({ epoch }).ended;
      assert.equal(code, status.INVALID_ARGUMENT);
      assert.deepEqual(detailsOf({ metadata }).fields, ['open.epoch']);
    }
  });
});

const CONVERSATION = 'ada:bob';

function contentOf(frames: SessionFrame[]) {
  return {
    gaps: frames.flatMap((f) => f.gaps.map((g) => `${g.first_seq}-${g.last_seq}`)),
    entries: frames.flatMap((f) => f.entries.map((e) => `${e.seq} ${e.message.text}`)),
  };
}

function marksOf(frames: SessionFrame[]): string[] {
  return [...new Set(frames.flatMap((f) => f.marks.map(({ member }) => member)))].sort();
}

/** How far userinfo has read the commits. */
function readCursor(graph: string): unknown {
  const db = new DatabaseSync(graph, { readOnly: true });
  try {
    return db.prepare("SELECT cursor FROM feed WHERE name = 'commits'").get()?.cursor;
  } finally {
    db.close();
  }
}
