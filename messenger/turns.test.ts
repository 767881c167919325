import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { Turns } from './turns.ts';

/** Calls that each end when they are told to. */
function calls(turns: Turns) {
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  const take = (name: string, signal?: AbortSignal) =>
    turns.take(() => {
      running.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    }, signal);
  const end = async (name: string) => {
    ends.get(name)?.();
    await turn();
  };
  return { running, take, end };
}

describe('turns', () => {
  it('let so many calls run at the same time, the others in their order, also after failures', async () => {
    const turns = new Turns(4);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    const results = await Promise.allSettled(
      numbers.map((i) =>
        turns.take(async () => {
          most = Math.max(most, ++running);
          order.push(i);
          await turn();
          running--;
          if (i % 10 === 3) throw new Error('no');
        }),
      ),
    );
    assert.equal(most, 4);
    assert.deepEqual(order, numbers);
    assert.equal(results.filter(({ status }) => status === 'rejected').length, 2);
    await turns.take(async () => {});
    assert.equal(running, 0);
  });

  it('do not come to calls that were given up', async () => {
    const { running, take, end } = calls(new Turns(1));
    const first = take('first');
    const aborters = Array.from({ length: 500 }, () => new AbortController());
    const givenUp = aborters.map(({ signal }, i) => take(`given up ${i}`, signal));
    const last = take('last');
    for (const aborter of aborters) aborter.abort();
    const results = await Promise.allSettled(givenUp);
    assert.ok(results.every(({ status }) => status === 'rejected'));
    await end('first');
    assert.deepEqual(running, ['first', 'last']);
    await end('last');
    await Promise.all([first, last]);
    await assert.rejects(take('too late', AbortSignal.abort()));
    assert.deepEqual(running, ['first', 'last']);
  });

  it('come to the newest first while the oldest has waited for long', async () => {
    let now = 0;
    const { running, take, end } = calls(new Turns(1, () => now));
    const taken = [take('running'), take('a'), take('b')];
    now = 9_000;
    taken.push(take('c'), take('d'));
    now = 10_001;
    await end('running');
    await end('d');
    now = 0;
    await end('c');
    for (const name of ['a', 'b']) await end(name);
    assert.deepEqual(running, ['running', 'd', 'c', 'a', 'b']);
    await Promise.all(taken);
  });
});
