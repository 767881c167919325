import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { follow } from './follow.ts';
import { createLog } from './log.ts';

const log = createLog('test', 'silent');

describe('following a feed', () => {
  it('goes on after the last item taken when the feed breaks, ends, or an item cannot be taken', async () => {
    const opened: string[] = [];
    const taken: number[] = [];
    const done = Promise.withResolvers<void>();
    let refusals = 0;
    await using _ = follow<number>({
      name: 'numbers',
      cursor: '0',
      log,
      cursorOf: String,
      async *open(cursor) {
        opened.push(cursor);
        const next = Number(cursor) + 1;
        yield next;
        if (opened.length === 1) throw new Error('broken');
        if (opened.length > 2) yield next + 1;
      },
      take(item) {
        if (item === 3 && refusals++ === 0) throw new Error('not now');
        taken.push(item);
        if (item === 4) done.resolve();
      },
    });
    await done.promise;
    assert.deepEqual(taken, [1, 2, 3, 4]);
    assert.deepEqual(opened, ['0', '1', '2', '2']);
  });

  it('ends when it is disposed of, though the feed never would', async () => {
    const opened = Promise.withResolvers<void>();
    const following = follow<number>({
      name: 'silence',
      log,
      cursorOf: String,
      async *open(_, signal) {
        opened.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
      take() {},
    });
    await opened.promise;
    await following[Symbol.asyncDispose]();
  });
});
