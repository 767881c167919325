import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CannotOpenError, Eventually, standIn } from './eventually.ts';
import { createLog } from './log.ts';

const log = createLog('test', 'silent');
const away = new Error('away');
const mayPass = (error: unknown) => error === away;

describe('what is opened when its engine is there', () => {
  it('says why it is not open, fails calls as UNAVAILABLE, and then serves them', async () => {
    let tries = 0;
    const store: Named & AsyncDisposable = { name: async () => 'opened', async [Symbol.asyncDispose]() {} };
    const open = async () => {
      if (++tries < 3) throw away;
      return store;
    };
    await using late = new Eventually({ name: 'the engine', open, mayPass, log });
    const port = standIn<Named>(late);
    await late.firstTry();
    assert.equal(late.isOpen, false);
    assert.equal(late.problem, 'away');
    await assert.rejects(port.name(), { reason: 'UNAVAILABLE', retryAfterMs: 1_000 });
    assert.equal(await late.whenOpen(), store);
    assert.deepEqual([late.isOpen, late.problem, tries], [true, undefined, 3]);
    assert.equal(await port.name(), 'opened');
  });

  it('is not tried again after a refusal, which is told to the start and to whoever runs it', async () => {
    let tries = 0;
    const open = async () => {
      if (++tries < 2) throw away;
      throw new Error('wrong password');
    };
    await using late = new Eventually<AsyncDisposable>({ name: 'the engine', open, mayPass, log });
    await late.firstTry();
    const refused = { name: CannotOpenError.name, message: 'the engine cannot be opened: wrong password' };
    await assert.rejects(late.failed, refused);
    await assert.rejects(late.whenOpen(), refused);
    assert.equal(tries, 2);
  });

  it('fails the start when the first try was refused', async () => {
    const open = () => Promise.reject(new Error('wrong password'));
    await using late = new Eventually<AsyncDisposable>({ name: 'the engine', open, mayPass, log });
    await assert.rejects(late.firstTry(), CannotOpenError);
  });

  it('is closed when it was opened while being given up, and opened no more', async () => {
    const opening = Promise.withResolvers<AsyncDisposable>();
    let isClosed = false;
    const late = new Eventually({ name: 'the engine', open: () => opening.promise, mayPass, log });
    const disposed = late[Symbol.asyncDispose]();
    opening.resolve({
      async [Symbol.asyncDispose]() {
        isClosed = true;
      },
    });
    await disposed;
    assert.equal(isClosed, true);
    assert.throws(() => late.value, { reason: 'UNAVAILABLE' });
  });

  it('gives up at once while nobody answers', async () => {
    const late = new Eventually<AsyncDisposable>({
      name: 'x',
      open: () => Promise.reject(away),
      mayPass,
      log,
    });
    await late.firstTry();
    await late[Symbol.asyncDispose]();
    await assert.rejects(late.whenOpen(), { reason: 'UNAVAILABLE' });
  });
});

interface Named {
  name(): Promise<string>;
}
