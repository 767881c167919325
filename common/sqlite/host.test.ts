import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { CannotGoOnError } from '../lifecycle.ts';
import type { Mortal } from './fixtures/mortal-store.ts';
import { hostInWorker } from './host.ts';

const STORE = new URL('./fixtures/mortal-store.ts', import.meta.url);
const OUT_OF_MEMORY = fileURLToPath(new URL('./fixtures/out-of-memory.ts', import.meta.url));

describe('a store in a thread of its own', () => {
  const open = () => hostInWorker<Mortal>(STORE, '/data/some.db');
  const died = (reason: string) => ({
    name: 'CannotGoOnError',
    message: `the thread that keeps some.db has died: ${reason}`,
  });

  it('that exits is told to be dead, and every call is UNAVAILABLE', async () => {
    const store = await open();
    const calls = [store.exit(), store.answer()];
    for (const call of calls) await assert.rejects(call, { reason: 'UNAVAILABLE' });
    await assert.rejects(store.failed, died('it exited with 5'));
    await assert.rejects(store.answer(), { reason: 'UNAVAILABLE' });
    await store[Symbol.asyncDispose]();
  });

  it('that throws where nobody catches it is told to be dead', async () => {
    const store = await open();
    // Its answer may be lost with the thread.
    store.throwLater().catch(() => {});
    await assert.rejects(store.failed, died('it went wrong'));
    await assert.rejects(store.answer(), { reason: 'UNAVAILABLE' });
  });

  it('that has no memory left is told to be dead', async () => {
    const child = spawn(process.execPath, ['--max-old-space-size=64', OUT_OF_MEMORY], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    assert.equal(said, died('it ran out of memory').message);
    assert.equal(code, 0);
  });

  it('that dies while it is opened says so', async () => {
    await assert.rejects(hostInWorker(STORE, '/data/exits.db'), (error) => {
      assert.ok(error instanceof CannotGoOnError);
      assert.equal(error.message, 'the thread that keeps exits.db has died: it exited with 3');
      return true;
    });
  });

  it('that has an answer which cannot be sent fails that call alone', async () => {
    await using store = await open();
    await assert.rejects(store.unreadable(), /could not be cloned/);
    assert.equal(await store.answer(), 'here');
  });

  it('that is closed is not told to be dead', async () => {
    let isDead = false;
    const store = await open();
    store.failed.catch(() => {
      isDead = true;
    });
    assert.equal(await store.answer(), 'here');
    await store[Symbol.asyncDispose]();
    await assert.rejects(store.answer(), { reason: 'UNAVAILABLE' });
    assert.equal(isDead, false);
  });
});
