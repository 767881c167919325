import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Arrivals, inTurns } from './turns.ts';

describe('the store in turns', () => {
  it('lets so many calls run at once, the others in their order, also after failures', async () => {
    let running = 0;
    let most = 0;
    const order: string[] = [];
    const store = {
      async positions(user: string) {
        most = Math.max(most, ++running);
        order.push(user);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        if (user.endsWith('3')) throw new Error('no');
        return [];
      },
    } as unknown as Arrivals;
    const bounded = inTurns(store, 4);
    const users = Array.from({ length: 20 }, (_, i) => `user${i}`);
    const results = await Promise.allSettled(users.map((user) => bounded.positions(user, 'phone')));
    assert.equal(most, 4);
    assert.deepEqual(order, users);
    assert.equal(results.filter(({ status }) => status === 'rejected').length, 2);
    await bounded.positions('later', 'phone');
    assert.equal(running, 0);
  });
});
