import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { newDatabase } from '../../common/mysql/fixtures/database.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { MYSQL, NATS, NEO4J, withoutEngine } from '../outside/engines.ts';
import { chatStub, conversationsStub, unary } from '../outside/grpc.ts';
import { call, register } from '../outside/http.ts';
import { type Container, containersOf, imageEnvironment, isInImage, readCompose } from '../outside/image.ts';

/** Nobody: may read the image, and write nowhere but in /tmp. */
const USER = 65_534;
const READY_MS = 30_000;

if (MYSQL === undefined || NEO4J === undefined || NATS === undefined)
  describe('the image', () => it(withoutEngine('MySQL, Neo4j and NATS')));
else if (process.getuid?.() !== 0) describe('the image', () => it('needs root, to run it as another user'));
else rehearse(MYSQL, NEO4J, NATS);

/** The steps of the Dockerfile and docker-compose.yml without their engine: the same files, install, commands, settings, secrets and checks. */
function rehearse(mysql: string, neo4j: string, nats: string): void {
  describe('the image, each role by its command as a user who may write nowhere', function () {
    this.timeout(120_000);
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-image-'));
    const app = join(folder, 'app');
    const secrets = join(folder, 'secrets');
    // Others may not reach the Node that runs the tests.
    const node = join(folder, 'node');
    const running = new Map<string, ChildProcess>();
    const output: string[] = [];
    const stack = new AsyncDisposableStack();
    let portOf: Map<string, { listens: string; admin: string }>;
    let url: string;

    before(async () => {
      chmodSync(folder, 0o755);
      copyFileSync(process.execPath, node);
      cpSync('.', app, { recursive: true, filter: (path) => isTaken(relative('.', path)) });
      run(
        'npm',
        'ci',
        '--omit=dev',
        '--ignore-scripts',
        '--prefer-offline',
        '--no-audit',
        '--loglevel=error',
      );
      run(node, 'scripts/make-secrets.ts', '--to', secrets);
      chmodSync(secrets, 0o755);
      const { url: database } = stack.use(await newDatabase(mysql));
      for (const [name, value] of Object.entries({
        'mysql-url': database,
        'neo4j-url': neo4j,
        'nats-url': nats,
      }))
        writeFileSync(join(secrets, name), value);
      const ports = (await freePorts(2 * containers.length)).map(String);
      portOf = new Map(
        containers.map(([name], i) => [
          name,
          { listens: ports[i] ?? '', admin: ports[containers.length + i] ?? '' },
        ]),
      );
      url = `http://127.0.0.1:${portOf.get('gateway')?.listens}`;
      for (const [name, container] of containers) start(name, container);
    });
    after(async () => {
      for (const child of running.values()) child.kill('SIGKILL');
      await stack.disposeAsync();
      rmSync(folder, { recursive: true });
    });

    const containers = containersOf(readCompose());

    const run = (command: string, ...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(command, args, { cwd: app, encoding: 'utf8' });
      assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
    };

    const start = (name: string, { command, environment }: Container) => {
      const child = spawn(node, command.slice(1), {
        cwd: app,
        env: environmentOf(name, environment),
        uid: USER,
        gid: USER,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk) => output.push(`${name}: ${chunk}`));
      running.set(name, child);
    };

    /** As in the container, but for host names, ports and mounted folders. Nothing of ours gets in. */
    const environmentOf = (name: string, own: Record<string, string>): Record<string, string> => {
      const { listens = '', admin = '' } = portOf.get(name) ?? {};
      const env = Object.entries({ ...imageEnvironment(), ...own }).map(([setting, value]) => [
        setting,
        value
          .replace('/run/secrets', secrets)
          .replace(/^\/keys/, join(secrets, 'keys'))
          .replace('0.0.0.0', '127.0.0.1')
          .replaceAll(/([a-z][\w-]+):\d+/g, (address, host) =>
            portOf.has(host) ? `127.0.0.1:${portOf.get(host)?.listens}` : address,
          ),
      ]);
      return {
        ...Object.fromEntries(env),
        DATA_DIR: join(folder, 'nothing-is-written-here'),
        CHATTERBOX_ADMIN_PORT: admin,
        [name === 'gateway' ? 'PORT' : (portSettings[name.replace(/-\d$/, '')] ?? '')]: listens,
      };
    };
    const portSettings: Record<string, string> = {
      authenticator: 'CHATTERBOX_AUTH_PORT',
      userinfo: 'CHATTERBOX_USERINFO_PORT',
      messenger: 'CHATTERBOX_MESSENGER_PORT',
    };

    const isHealthy = (name: string, { healthcheck }: Container) => {
      const port = portOf.get(name)?.admin ?? '';
      const [, , ...args] = healthcheck.test;
      return (
        spawnSync(
          node,
          args.map((arg) => arg.replace('9100', port)),
        ).status === 0
      );
    };

    it('becomes healthy by the checks of its containers', async () => {
      const deadline = Date.now() + READY_MS;
      for (const [name, container] of containers)
        while (!isHealthy(name, container)) {
          assert.ok(Date.now() < deadline, `${name} is not healthy:\n${output.join('')}`);
          await delay(100);
        }
    });

    it('carries a message through the gateway', async () => {
      const [ada] = await Promise.all([register(url, 'ada'), register(url, 'bob')]);
      const { conversation, seq } = await unary(
        chatStub(url),
        'SendMessage',
        { friend: 'bob', message: 'from a container' },
        ada,
      );
      assert.equal(seq, '1');
      const { entries } = await unary(conversationsStub(url), 'ListEntries', { conversation }, ada);
      assert.equal(entries[0]?.message.text, 'from a container');
      // A Neo4j that has just started needs longer for its first queries than a caller is kept waiting.
      const profile = () => call(url, 'GET', '/chat/people/bob', ada);
      const deadline = Date.now() + READY_MS;
      while ((await profile()).status === 503 && Date.now() < deadline) await delay(500);
      assert.equal((await profile()).body.username, 'bob');
    });

    it('stops with 0, and has written nothing', async () => {
      const codes = await Promise.all(
        Array.from(running.values(), async (child) => {
          child.kill('SIGTERM');
          return (await once(child, 'exit'))[0];
        }),
      );
      assert.deepEqual(codes, [0, 0, 0, 0, 0], output.join(''));
      assert.ok(!existsSync(join(folder, 'nothing-is-written-here')));
    });
  });
}

/** What is copied: the files that .dockerignore leaves, and the folders on the way to them. */
function isTaken(path: string): boolean {
  return path === '' || path === 'proto' || isInImage(path);
}
