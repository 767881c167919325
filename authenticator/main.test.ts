import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'mocha';
import { startHttpServer } from '#common/http/server.ts';
import { type Granted, PASSWORD, SECRET, World } from './fixtures/world.ts';

describe('the process of the authenticator', () => {
  it('leaves a folder that another one holds alone, says so, and ends', async () => {
    await using world = await World.start();
    await world.register('ada');
    const child = start({ DATA_DIR: world.dataDir });
    const [said, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    assert.equal(status, 1);
    assert.match(said, /in use by another process: stop that one, or set DATA_DIR to another folder/);
    assert.equal((await world.call('GET', '/healthz')).status, 200);
    assert.equal((await world.register('bob')).user.username, 'bob');
  });

  it('has what was acknowledged after it was killed, and lets its successor in', async () => {
    await using world = new World();
    const url = await freeUrl();
    const child = start({ DATA_DIR: world.dataDir, CHATTERBOX_AUTH_PORT: new URL(url).port });
    const exited = once(child, 'exit');
    let registered: Granted;
    try {
      await answers(child, url);
      registered = await register(url, 'ada');
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
    await world.start();
    assert.equal((await world.refresh(registered.refresh_token)).status, 200);
  });

  it('refuses production without keys, and makes none', async () => {
    await using world = new World();
    const child = start({ DATA_DIR: world.dataDir, NODE_ENV: 'production' });
    const [said, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    assert.equal(status, 1);
    assert.match(said, /CHATTERBOX_SIGNING_KEYS must be set in production/);
    assert.ok(!existsSync(join(world.dataDir, 'authenticator')));
  });
});

function start(env: Record<string, string>) {
  return spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      CHATTERBOX_AUTH_PORT: '0',
      CHATTERBOX_SERVICE_SECRET: SECRET,
      CHATTERBOX_LOG_LEVEL: 'silent',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** At a port that was free a moment ago. */
async function freeUrl(): Promise<string> {
  await using server = await startHttpServer(() => {}, '127.0.0.1', 0);
  return server.url;
}

async function register(url: string, username: string): Promise<Granted> {
  const response = await fetch(`${url}/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: PASSWORD }),
  });
  assert.equal(response.status, 201);
  return (await response.json()) as Granted;
}

async function answers(child: ChildProcess, url: string): Promise<void> {
  while (child.exitCode === null) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise(setImmediate);
  }
  throw new Error(`it ended with ${child.exitCode} before it was ready`);
}
