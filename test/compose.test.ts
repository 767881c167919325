import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { readConfig as readAuthenticatorConfig } from '../authenticator/config.ts';
import type { Env } from '../common/config.ts';
import { SETTINGS } from '../common/settings.ts';
import { readConfig as readGatewayConfig } from '../gateway/config.ts';
import { readConfig as readMessengerConfig } from '../messenger/config.ts';
import { readConfig as readUserinfoConfig } from '../userinfo/config.ts';
import { type Container, containersOf, imageEnvironment, isInImage, readCompose } from './outside/image.ts';

const compose = readCompose();
const containers = containersOf(compose);
const image = imageEnvironment();

const READ_CONFIG: Record<string, (env: Env) => { port: number }> = {
  gateway: readGatewayConfig,
  authenticator: readAuthenticatorConfig,
  userinfo: readUserinfoConfig,
  messenger: readMessengerConfig,
};

describe('docker-compose.yml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  const secrets = join(folder, 'secrets');
  const makeSecrets = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/make-secrets.ts', '--to', secrets, ...args], { encoding: 'utf8' });
  before(() => {
    const { status, stderr } = makeSecrets();
    assert.equal(status, 0, stderr);
  });
  after(() => rmSync(folder, { recursive: true }));

  const configOf = (container: Container) => {
    const env = Object.entries({ ...image, ...container.environment }).map(([name, value]) => [
      name,
      value.replace('/run/secrets', secrets).replace(/^\/keys/, join(secrets, 'keys')),
    ]);
    return READ_CONFIG[roleOf(container)]?.(Object.fromEntries(env));
  };

  it('runs each service by a file that is in the image', () => {
    assert.deepEqual(containers.map(([name]) => name).toSorted(), [
      'authenticator',
      'gateway',
      'messenger-1',
      'messenger-2',
      'userinfo',
    ]);
    for (const [, { command }] of containers) {
      assert.equal(command[0], 'node');
      assert.ok(existsSync(command[1] ?? ''));
      assert.ok(isInImage(command[1] ?? ''));
    }
  });

  it('sets only what is a setting, and with its secrets that is all a production start needs', () => {
    for (const [name, container] of containers) {
      for (const setting of Object.keys({ ...image, ...container.environment }))
        assert.ok(setting.replace(/_FILE$/, '') in SETTINGS, `${name}: ${setting}`);
      assert.ok(configOf(container), name);
    }
  });

  it('mounts every secret that it names, and each exists', () => {
    for (const [name, { environment, secrets: mounted = [] }] of Object.entries(compose.services)) {
      const named = Object.values(environment ?? {}).filter((value) => value.startsWith('/run/secrets/'));
      for (const path of named)
        assert.ok(mounted.includes(path.slice('/run/secrets/'.length)), `${name}: ${path}`);
      for (const secret of mounted) {
        const { file } = compose.secrets[secret] ?? { file: '' };
        assert.ok(existsSync(join(folder, file)), `${name}: ${file}`);
      }
    }
  });

  it('names a service of its own wherever it names a host, at the port that it listens on', () => {
    for (const [name, { environment }] of containers) {
      const hosts = Object.values(environment).flatMap((value) => [
        ...value.matchAll(/([a-z][\w-]+):(\d+)/g),
      ]);
      for (const [, host = '', port] of hosts) {
        const there = compose.services[host];
        assert.ok(there, `${name}: ${host}`);
        assert.equal(configOf(there)?.port, Number(port), `${name}: ${host}`);
      }
    }
    for (const [secret, host] of [
      ['mysql-url', 'mysql'],
      ['neo4j-url', 'neo4j'],
      ['nats-url', 'nats'],
    ] as const)
      assert.equal(new URL(readFileSync(join(secrets, secret), 'utf8')).hostname, host);
  });

  it('publishes the port of the gateway, and nothing else', () => {
    const published = Object.entries(compose.services).filter(([, { ports }]) => ports !== undefined);
    assert.deepEqual(
      published.map(([name, { ports }]) => [name, ports]),
      [['gateway', ['8080:8080']]],
    );
    assert.deepEqual(
      Object.entries(compose.networks)
        .filter(([, network]) => network.internal !== true)
        .map(([name]) => name),
      ['public'],
    );
    for (const [name, { networks }] of Object.entries(compose.services))
      assert.equal(networks.includes('public'), name === 'gateway', name);
  });

  it('lets the authenticator believe whoever speaks from the network of the services', () => {
    const subnets = compose.networks.services?.ipam?.config.map(({ subnet }) => subnet);
    assert.deepEqual([compose.services.authenticator?.environment.CHATTERBOX_TRUST_PROXY], subnets);
  });

  it('asks each of ours whether it is ready at the admin port of the image, and restarts everything', () => {
    for (const [, { healthcheck, read_only }] of containers) {
      assert.match(
        healthcheck.test.at(-1) ?? '',
        new RegExp(`127.0.0.1:${image.CHATTERBOX_ADMIN_PORT}/readyz`),
      );
      assert.equal(read_only, true);
    }
    for (const { restart, healthcheck } of Object.values(compose.services)) {
      assert.equal(restart, 'unless-stopped');
      assert.ok(healthcheck.test.length > 1);
    }
  });

  it('has secrets that are made once, behind a folder that is closed to others, and taken from a data folder', () => {
    const read = (name: string) => readFileSync(join(secrets, name), 'utf8');
    const before = read('service-secret') + read('mysql-url') + read('keys/signing-keys.json');
    assert.equal(makeSecrets().status, 0);
    assert.equal(read('service-secret') + read('mysql-url') + read('keys/signing-keys.json'), before);
    assert.equal(statSync(secrets).mode & 0o777, 0o700);

    const data = join(folder, 'data');
    const embedded = readAuthenticatorConfig({ DATA_DIR: data });
    const other = join(folder, 'other');
    const keys = join(data, 'authenticator', 'signing-keys.json');
    mkdirSync(join(data, 'authenticator'));
    copyFileSync(join(secrets, 'keys', 'signing-keys.json'), keys);
    const { status } = makeSecrets('--to', other, '--from', data);
    assert.equal(status, 0);
    assert.equal(readFileSync(join(other, 'service-secret'), 'utf8'), embedded.serviceSecret);
    assert.equal(readFileSync(join(other, 'keys', 'signing-keys.json'), 'utf8'), readFileSync(keys, 'utf8'));
  });
});

describe('the image', () => {
  it('holds no tests, and everything else that a service imports', () => {
    const files = globSync('{authenticator,common,gateway,messenger,userinfo,proto/gen,scripts}/**/*.ts');
    const inside = files.filter(isInImage);
    assert.deepEqual(
      inside.filter((path) => /\.test\.ts|\.contract\.ts|fixtures\//.test(path)),
      [],
    );
    assert.ok(inside.includes('common/config.ts') && inside.includes('scripts/start.ts'));
    assert.ok(!isInImage('secrets/service-secret') && !isInImage('data/messenger/messages.db'));
    for (const path of inside)
      for (const imported of importsOf(path)) assert.ok(isInImage(imported), `${path} imports ${imported}`);
  });
});

function roleOf({ command }: Container): string {
  return command[1]?.split('/')[0] ?? '';
}

function importsOf(path: string): string[] {
  const imports = readFileSync(path, 'utf8').matchAll(/(?:from|import\(?|new URL\()\s*'([.#][^']+\.ts)'/g);
  return Array.from(imports, ([, specifier = '']) => {
    if (specifier.startsWith('#proto/')) return `proto/gen/${specifier.slice(7)}`;
    if (specifier.startsWith('#common/')) return `common/${specifier.slice(8)}`;
    return join(path, '..', specifier);
  });
}
