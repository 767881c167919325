import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { python } from '../../scripts/compilers/python.ts';
import { environment, runIn } from '../../scripts/compilers/run-in.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { chatStub, Session, sessionStub, streamAll, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { type ServerProcess, spawnServer } from '../outside/system.ts';

const FOLDER = resolve('docs/examples/python');

if (python.isInstalled()) withPython();
else describe('the Python client', () => it(`is what docs/protocol.md describes (${python.howToInstall})`));

/** What the client says on its standard output, one of these in a line. */
interface Said {
  opened?: { epoch: string; is_another: boolean };
  caught_up?: { list_inbox: boolean };
  gap?: { conversation: string; first: number; last: number };
  entry?: { conversation: string; seq: number; sender: string; text: string };
  sent?: { id: string; conversation: string; seq: number };
  refused?: { id: string; code: number };
  ended?: string;
  fetched?: string;
}

/** A process of the command line. */
class Client implements AsyncDisposable {
  readonly said: Said[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #more = Promise.withResolvers<void>();

  constructor(gen: string, args: string[]) {
    this.#child = spawn('python', [join(FOLDER, 'chat.py'), ...args], {
      env: { ...environment(), PYTHONPATH: gen, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#exited = once(this.#child, 'exit');
    // One that was killed reads nothing any more.
    this.#child.stdin?.on('error', () => {});
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.said.push(JSON.parse(line) as Said);
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    });
  }

  write(...commands: object[]): void {
    this.#child.stdin?.write(commands.map((command) => `${JSON.stringify(command)}\n`).join(''));
  }

  async until(isSo: (said: Said[]) => boolean): Promise<void> {
    while (!isSo(this.said)) {
      const soon = delay(20, 'soon', { ref: false });
      const end = await Promise.race([this.#more.promise, this.#exited.then(() => 'ended'), soon]);
      if (end === 'ended' && !isSo(this.said))
        assert.fail(`it ended after ${JSON.stringify(this.said.slice(-5))}`);
    }
  }

  caughtUp(): Promise<void> {
    return this.until((said) => said.some(({ caught_up }) => caught_up !== undefined));
  }

  answered(count: number): Promise<void> {
    return this.until((said) => said.filter(({ sent }) => sent !== undefined).length >= count);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

function withPython(): void {
  describe('the Python client', function () {
    this.timeout(60_000);
    let gen: string;
    let folder: string;
    let env: Record<string, string>;
    let server: ServerProcess;
    let clients: Client[];

    before(() => {
      gen = mkdtempSync(join(tmpdir(), 'chatterbox-python-'));
      const protos = globSync('chatterbox/v1/*.proto', { cwd: 'proto' }).map((path) => join('proto', path));
      const out = ['--python_out', '--grpc_python_out'].map((kind) => `${kind}=${gen}`);
      runIn('.', ['python', '-m', 'grpc_tools.protoc', '-I', 'proto', ...out, ...protos]);
    });
    after(() => rmSync(gen, { recursive: true }));

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
      const [port] = await freePorts(1);
      env = {
        DATA_DIR: join(folder, 'data'),
        PORT: `${port}`,
        CHATTERBOX_SEND_RATE: '2000',
        CHATTERBOX_SEND_BURST: '300',
      };
      server = await spawnServer(env);
      clients = [];
    });
    afterEach(async () => {
      for (const client of clients) await client.kill();
      await server.kill();
      rmSync(folder, { recursive: true });
    });

    const start = (device: string, ...more: string[]): Client => {
      const where = ['--server', server.url, '--state', stateOf(device), '--longest-backoff', '0.5'];
      const client = new Client(gen, [...where, ...more]);
      clients.push(client);
      return client;
    };
    const stateOf = (device: string) => join(folder, `${device}.db`);
    const asNew = (name: string) => ['--user', name, '--password', `correct horse ${name}`, '--register'];
    const asKnown = (name: string) => ['--user', name, '--password', `correct horse ${name}`];
    /** What the device shows of a conversation. */
    const shown = (device: string, conversation: string): [number, string][] => {
      const db = new DatabaseSync(stateOf(device), { readOnly: true });
      try {
        const rows = db
          .prepare('SELECT seq, text FROM message WHERE conversation = ? ORDER BY seq')
          .all(conversation);
        return rows.map(({ seq, text }) => [Number(seq), String(text)]);
      } finally {
        db.close();
      }
    };
    const numbered = (texts: string[]): [number, string][] => texts.map((text, i) => [i + 1, text]);
    const texts = (count: number, from = 1) => Array.from({ length: count }, (_, i) => `${from + i}`);
    const toBob = (list: string[]) => list.map((text) => ({ to: 'bob', text, id: `id-${text}` }));
    const sendAs = (account: Account, list: string[]) =>
      streamAll(
        chatStub(server.url),
        list.map((message) => ({ friend: 'bob', message })),
        account,
      );

    it('resumes where it was, and shows each message once, however often it is killed', async () => {
      const ada = await register(server.url, 'ada');
      const first = start('phone', ...asNew('bob'));
      await first.caughtUp();
      const all = texts(400);
      const sending = (async () => {
        for (let i = 0; i < all.length; i += 10) await sendAs(ada, all.slice(i, i + 10));
      })();
      let client = first;
      for (let count = 20; count <= 300; count += 70) {
        await client.until(() => shown('phone', 'ada:bob').length >= count);
        await client.kill();
        client = start('phone');
        await client.caughtUp();
      }
      await sending;
      await client.until(() => shown('phone', 'ada:bob').length >= all.length);
      assert.deepEqual(shown('phone', 'ada:bob'), numbered(all));
      await client.close();
      const again = start('phone');
      await again.caughtUp();
      await again.close();
      assert.ok(again.said.every(({ entry, gap }) => entry === undefined && gap === undefined));
    });

    it('knows what a new device is not told, and fetches it', async () => {
      const ada = await register(server.url, 'ada');
      await register(server.url, 'bob');
      await sendAs(ada, texts(100));
      const client = start('phone', ...asKnown('bob'));
      await client.caughtUp();
      assert.deepEqual(client.said.find(({ gap }) => gap)?.gap, {
        conversation: 'ada:bob',
        first: 1,
        last: 99,
      });
      assert.deepEqual(shown('phone', 'ada:bob'), [[100, '100']]);
      client.write({ fetch: 'ada:bob', first: 1, last: 99 });
      await client.until((said) => said.some(({ fetched }) => fetched === 'ada:bob'));
      assert.deepEqual(shown('phone', 'ada:bob'), numbered(texts(100)));
    });

    it('sends in order above the rate, beside another device of the same person, and shows its own once', async () => {
      await register(server.url, 'bob');
      const phone = start('phone', ...asNew('ada'));
      await phone.caughtUp();
      const desk = start('desk', ...asKnown('ada'));
      await desk.caughtUp();
      phone.write(...toBob(texts(1_000)));
      await phone.answered(1_000);
      await desk.until(() => shown('desk', 'ada:bob').length >= 1_000);
      for (const device of ['phone', 'desk'])
        assert.deepEqual(shown(device, 'ada:bob'), numbered(texts(1_000)));
      await phone.kill();
      const again = start('phone');
      await again.caughtUp();
      again.write(...toBob(texts(1_000)));
      await again.answered(1_000);
      assert.deepEqual(shown('phone', 'ada:bob'), numbered(texts(1_000)), 'the same ids again');
    });

    it('loses and repeats nothing, and keeps the order, while server and clients are killed', async () => {
      const bob = start('bob', ...asNew('bob'));
      let ada = start('ada', ...asNew('ada'));
      await Promise.all([bob.caughtUp(), ada.caughtUp()]);
      for (let round = 0; round < 2; round++) {
        ada.write(...toBob(texts(200, round * 200 + 1)));
        await ada.answered(20);
        await server.kill();
        if (round === 1) {
          await ada.kill();
          ada = start('ada');
          // What it had not read is given again.
          ada.write(...toBob(texts(200, round * 200 + 1)));
        }
        server = await spawnServer(env);
        await ada.until(() => outbox('ada') === 0 && shown('ada', 'ada:bob').length >= (round + 1) * 200);
      }
      await bob.until(() => shown('bob', 'ada:bob').length >= 400);
      for (const device of ['ada', 'bob']) assert.deepEqual(shown(device, 'ada:bob'), numbered(texts(400)));
    });

    it('begins anew in another epoch, and sends what had no answer', async () => {
      await register(server.url, 'bob');
      const ada = start('ada', ...asNew('ada'));
      await ada.caughtUp();
      ada.write(...toBob(texts(10)));
      await ada.answered(10);
      await server.terminate();
      ada.write(...toBob(['11']));
      await ada.until(() => outbox('ada') === 1);
      const restored = spawnSync(process.execPath, ['scripts/restored.ts'], {
        env: { ...process.env, ...env },
      });
      assert.equal(restored.status, 0, `${restored.stderr}`);
      server = await spawnServer(env);
      await ada.until((said) => said.some(({ opened }) => opened?.is_another));
      await ada.answered(11);
      assert.deepEqual(
        ada.said.filter(({ gap }) => gap).map(({ gap }) => gap),
        [{ conversation: 'ada:bob', first: 1, last: 9 }],
      );
      assert.deepEqual(shown('ada', 'ada:bob'), [
        [10, '10'],
        [11, '11'],
      ]);
    });

    it('stops when another session of its device takes over, and when its login has ended', async () => {
      const client = start('phone', ...asNew('ada'));
      await client.caughtUp();
      const { token, device } = secretsOf('phone');
      const other = start('desk', ...asKnown('ada'));
      await other.caughtUp();
      const account = await register(server.url, 'eve');
      await unary(sessionStub(server.url), 'Send', { friend: 'ada', text: 'x' }, account);
      const rival = new Session(
        sessionStub(server.url),
        { token: await refreshed(token) },
        { open: { device } },
      );
      await rival.caughtUp();
      await client.until((said) => said.some(({ ended }) => ended === 'SESSION_REPLACED'));
      await rival.end();
      await logOut(secretsOf('desk').token);
      await other.until((said) => said.some(({ ended }) => ended !== undefined));
    });

    const outbox = (device: string): number => {
      const db = new DatabaseSync(stateOf(device), { readOnly: true });
      try {
        return Number(db.prepare('SELECT count(*) AS count FROM outbox').get()?.count);
      } finally {
        db.close();
      }
    };
    const secretsOf = (device: string) => {
      const db = new DatabaseSync(stateOf(device), { readOnly: true });
      try {
        const value = (name: string) =>
          String(db.prepare('SELECT value FROM setting WHERE name = ?').get(name)?.value);
        return { token: value('refresh_token'), device: value('device') };
      } finally {
        db.close();
      }
    };
    const post = (path: string, body: object, token = '') =>
      fetch(`${server.url}/auth/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
        body: JSON.stringify(body),
      });
    const refreshed = async (refreshToken: string): Promise<string> => {
      const answer = await post('refresh', { refresh_token: refreshToken });
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const logOut = async (refreshToken: string) => {
      assert.equal((await post('logout', {}, await refreshed(refreshToken))).status, 204);
    };
  });
}
