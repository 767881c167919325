import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { PYTHON, python } from '../../scripts/compilers/python.ts';
import { runIn } from '../../scripts/compilers/run-in.ts';
import { conversationsStub, unary } from '../outside/grpc.ts';
import { type Account, passwordOf, register } from '../outside/http.ts';
import { restored } from '../outside/restored.ts';
import { type ServerProcess, spawnServer } from '../outside/system.ts';

const CONVERSATION = 'ada:bob';
const UNLIMITED = { CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '1000000' };
const TITLE = 'the client in Python';

if (!python.isInstalled())
  describe(TITLE, () => {
    it(`does what the protocol page asks of a client (not installed: ${python.howToInstall})`);
  });
else
  describe(TITLE, function () {
    this.timeout(30_000);
    let program: string;
    let folder: string;
    let server: ServerProcess;
    let ada: Account;
    let chats: Chat[];

    before(() => {
      program = mkdtempSync(join(tmpdir(), 'chatterbox-python-'));
      for (const name of ['chat.py', 'session_client.py'])
        cpSync(join('docs/examples/python', name), join(program, name));
      const make = [
        'mkdir gen && python -m grpc_tools.protoc -I "$0" --python_out=gen --grpc_python_out=gen',
        '"$0"/chatterbox/v1/*.proto "$0"/org/harshit/messenger/chat/*.proto',
      ];
      runIn(program, ['bash', '-e', '-c', make.join(' '), resolve('proto')]);
    });
    after(() => rmSync(program, { recursive: true, force: true }));

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
      chats = [];
    });
    afterEach(async () => {
      await Promise.all(chats.map((chat) => chat.kill()));
      await server?.kill();
      rmSync(folder, { recursive: true, force: true });
    });

    async function start(env: Record<string, string> = UNLIMITED): Promise<void> {
      server = await spawnServer({ DATA_DIR: join(folder, 'data'), ...env });
      [ada] = await Promise.all([register(server.url, 'ada'), register(server.url, 'bob')]);
    }
    async function startAgain(): Promise<void> {
      const env = { DATA_DIR: join(folder, 'data'), PORT: new URL(server.url).port, ...UNLIMITED };
      server = await spawnServer(env);
    }
    function open(user: string, device = 'phone'): Chat {
      const state = join(folder, `${user}-${device}.db`);
      const chat = new Chat(program, ['--server', server.url, '--user', user, '--state', state], user);
      chats.push(chat);
      return chat;
    }
    /** Opened and caught up. */
    async function live(user: string, device?: string): Promise<Chat> {
      const chat = open(user, device);
      await chat.until(() => chat.of('caught_up').length > 0);
      return chat;
    }
    async function log(): Promise<{ seq: number; sender: string; text: string }[]> {
      const stub = conversationsStub(server.url);
      const entries: any[] = [];
      for (let page_token = ''; ; ) {
        const request = { conversation: CONVERSATION, page_size: 100, page_token };
        const page = await unary(stub, 'ListEntries', request, ada);
        entries.push(...page.entries);
        page_token = page.next_page_token;
        if (page_token === '') break;
      }
      stub.close();
      return entries.map((e) => ({ seq: Number(e.seq), sender: e.sender, text: e.message.text }));
    }

    it('goes on where it ended, however often it ends while messages come', async () => {
      await start();
      await (await live('bob')).end();
      const from = await live('ada');
      const texts = numbered('m', 300);
      const shown: string[] = [];
      for (let i = 0; i < 300; i += 60) {
        const bob = open('bob');
        from.send('bob', texts.slice(i, i + 60));
        await bob.until(() => bob.of('entry').length > 0);
        await bob.end();
        shown.push(...bob.texts());
      }
      await from.end();
      const bob = await live('bob');
      await bob.end();
      shown.push(...bob.texts());
      assert.deepEqual(shown, texts);
    });

    it('shows nothing twice when it is killed before its acknowledgement', async () => {
      await start();
      await (await live('bob')).end();
      const from = await live('ada');
      const texts = numbered('m', 8);
      const shown: string[] = [];
      for (const [i, one] of texts.entries()) {
        from.send('bob', [one]);
        await from.until(() => from.of('sent').length > i);
        const bob = open('bob');
        await bob.until(() => bob.of('entry').length > 0);
        await bob.kill();
        shown.push(...bob.texts());
      }
      const bob = await live('bob');
      assert.deepEqual([...shown, ...bob.texts()], texts);
    });

    it('knows of the gap that a new device begins with, and fetches it', async () => {
      await start();
      const from = await live('ada');
      const texts = numbered('m', 100);
      from.send('bob', texts);
      await from.until(() => from.of('sent').length === 100);
      const bob = await live('bob');
      assert.deepEqual(bob.of('gap'), [{ conversation: CONVERSATION, first: 1, last: 99 }]);
      assert.deepEqual(bob.texts(), texts.slice(99));
      bob.write({ fetch: CONVERSATION, first: 1, last: 99 });
      await bob.until(() => bob.of('fetched').length === 99);
      assert.deepEqual(
        bob.of('fetched').map((entry) => entry.text),
        texts.slice(0, 99),
      );
    });

    it('shows its own sends once, when it is killed before their results', async () => {
      await start();
      const texts = numbered('m', 200);
      const sent: number[] = [];
      const first = await live('ada');
      first.send('bob', texts);
      await first.until(() => first.of('sent').length > 0);
      await first.kill();
      const second = open('ada');
      await second.end();
      for (const chat of [first, second]) {
        sent.push(...chat.of('sent').map(({ seq }) => seq));
        assert.deepEqual(chat.of('entry'), []);
      }
      const entries = await log();
      // A kill takes what was not in the outbox yet with it.
      assert.deepEqual(
        entries.map((entry) => entry.text),
        texts.slice(0, entries.length),
      );
      assert.equal(new Set(sent).size, sent.length, 'none twice');
    });

    it('keeps the order of 1,000 sends above the rate', async () => {
      await start({ CHATTERBOX_SEND_RATE: '1000', CHATTERBOX_SEND_BURST: '100' });
      const [from, bob] = [await live('ada'), await live('bob')];
      const texts = numbered('m', 1_000);
      from.send('bob', texts);
      await Promise.all([
        from.until(() => from.of('sent').length === 1_000),
        bob.until(() => bob.of('entry').length === 1_000),
      ]);
      assert.deepEqual(
        (await log()).map((entry) => entry.text),
        texts,
      );
      assert.deepEqual(bob.texts(), texts);
    });

    it('loses nothing and shows nothing twice when the server is killed while both send', async () => {
      await start();
      const both = [await live('ada'), await live('bob')] as const;
      const texts = { ada: numbered('a', 300), bob: numbered('b', 300) };
      for (let i = 0; i < 300; i += 100) {
        both[0].send('bob', texts.ada.slice(i, i + 100));
        both[1].send('ada', texts.bob.slice(i, i + 100));
        await both[0].until(() => both[0].of('sent').length > i);
        await server.kill();
        await startAgain();
      }
      const seqsOf = (chat: Chat) => [...chat.of('sent'), ...chat.of('entry')].map(({ seq }) => Number(seq));
      await Promise.all(both.map((chat) => chat.until(() => seqsOf(chat).length >= 600)));
      const entries = await log();
      for (const [i, user] of (['ada', 'bob'] as const).entries()) {
        const own = entries.filter(({ sender }) => sender === user).map((entry) => entry.text);
        assert.deepEqual(own, texts[user]);
        assert.deepEqual(both[1 - i]?.texts(), own, 'the other one is shown the same');
        assert.deepEqual(
          seqsOf(both[i] as Chat).toSorted((a, b) => a - b),
          entries.map(({ seq }) => seq),
        );
      }
    });

    it('begins anew with a new epoch, and sends what had no answer', async () => {
      await start();
      const from = await live('ada');
      from.send('bob', numbered('m', 5));
      await from.until(() => from.of('sent').length === 5);
      await server.terminate();
      from.send('bob', numbered('later', 5));
      assert.match(await restored(join(folder, 'data')), /new epoch/);
      await startAgain();
      await from.until(() => from.of('sent').length === 10);
      const [before, now] = [from.of('opened')[0], from.of('opened').at(-1)];
      assert.deepEqual([before?.anew, now?.anew], [false, true]);
      assert.notEqual(now?.epoch, before?.epoch);
      assert.deepEqual(
        (await log()).map((entry) => entry.text),
        [...numbered('m', 5), ...numbered('later', 5)],
      );
    });

    it('stops when a newer session of its device begins, and the newer one goes on', async () => {
      await start();
      const older = await live('ada');
      const newer = await live('ada');
      await older.until(() => older.of('ended').length > 0);
      assert.match(older.of('ended')[0]?.why, /SESSION_REPLACED/);
      newer.send('bob', ['still here']);
      await newer.until(() => newer.of('sent').length === 1);
      assert.deepEqual(newer.of('reconnecting'), []);
    });
  });

/** A process of chat.py, driven over its pipes. */
class Chat {
  readonly #child: ChildProcess;
  readonly #events: Record<string, any>[] = [];
  readonly #closed: Promise<unknown>;
  #errors = '';
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(folder: string, args: string[], user: string) {
    const all = ['chat.py', ...args, '--password', passwordOf(user), '--longest-backoff', '0.5'];
    this.#child = spawn(PYTHON, all, { cwd: folder, stdio: 'pipe' });
    const { stdin, stdout, stderr } = this.#child;
    assert.ok(stdin && stdout && stderr);
    stdin.on('error', () => {}); // it was killed while a line was on its way
    stderr.on('data', (chunk) => {
      this.#errors += chunk;
    });
    createInterface({ input: stdout }).on('line', (line) => {
      this.#events.push(JSON.parse(line));
      this.#wake();
    });
    this.#closed = once(this.#child, 'close').then(() => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** What it told of one kind, in order. */
  of(kind: string): Record<string, any>[] {
    return this.#events.filter((event) => kind in event).map((event) => event[kind]);
  }

  texts(): string[] {
    return this.of('entry').map((entry) => entry.text);
  }

  write(...commands: object[]): void {
    this.#child.stdin?.write(commands.map((command) => `${JSON.stringify(command)}\n`).join(''));
  }

  send(to: string, texts: string[]): void {
    this.write(...texts.map((one) => ({ to, text: one })));
  }

  /** @throws Error when it ends before the check holds. */
  async until(check: () => boolean): Promise<void> {
    while (!check()) {
      if (this.#isClosed) throw new Error(`it ended: ${JSON.stringify(this.#events.at(-1))} ${this.#errors}`);
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  /** Ends its input; it ends by itself when all is answered. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    await this.#closed;
    assert.equal(this.of('ended')[0]?.why, 'closed', this.#errors);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}${i + 1}`);
}
