import assert from 'node:assert/strict';
import { it } from 'mocha';
import type { Attempt, Budget } from '../../ports.ts';
import type { Subject } from '../accounts.contract.ts';
import { NOW, register } from './samples.ts';

const FORGET_MS = 900_000;

export function attemptPromises({ store, reopen }: Subject): void {
  const admit = (...values: Parameters<typeof attempt>) => store().admit(attempt(...values));

  it('cost no waiting while they are free, then twice as long each time, up to the ceiling', async () => {
    assert.equal(await admit(NOW), 0);
    assert.equal(await admit(NOW), 0);
    const waits = [];
    let now = NOW;
    for (let i = 0; i < 5; i++) {
      const wait = await admit(now);
      waits.push(wait);
      assert.equal(await admit(now + wait - 1), 1);
      now += wait;
      assert.equal(await admit(now), 0);
    }
    assert.deepEqual(waits, [1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  for (const step of [3_600_000, -3_600_000])
    it(`cost no more waiting than their wait where the clock was set by ${step / 60_000} min`, async () => {
      await admit(NOW);
      await admit(NOW);
      const wait = await admit(NOW + step);
      assert.equal(wait, step > 0 ? 0 : 1_000);
      assert.ok((await admit(NOW + step)) <= 1_000);
    });

  it('that are refused do not count, and the wait is not made longer by asking', async () => {
    await admit(NOW);
    await admit(NOW);
    for (let i = 0; i < 10; i++) assert.equal(await admit(NOW + 10 * i), 1_000 - 10 * i);
    assert.equal(await admit(NOW + 1_000), 0);
  });

  it('are let in as often as is free, though fifty ask at once', async () => {
    const waits = await Promise.all(Array.from({ length: 50 }, () => admit(NOW)));
    assert.equal(waits.filter((wait) => wait === 0).length, 2);
  });

  it('are counted against all budgets or none: the longest wait is the answer', async () => {
    const tight = budget('tight', { free: 1 });
    await admit(NOW, { budgets: [budget('wide', { free: 2 }), tight] });
    assert.equal(await admit(NOW, { budgets: [budget('wide', { free: 2 }), tight] }), 1_000);
    assert.equal(await admit(NOW, { budgets: [budget('wide', { free: 2 })] }), 0);
    assert.equal(await admit(NOW, { budgets: [budget('wide', { free: 2 })] }), 1_000);
  });

  it('are remembered over a restart, and forgotten after the time without one', async () => {
    await admit(NOW);
    await admit(NOW);
    await reopen();
    assert.equal(await admit(NOW), 1_000);
    assert.equal(await admit(NOW + 1_000), 0);
    assert.equal(await admit(NOW + 1_000 + FORGET_MS + 1), 0);
    assert.equal(await admit(NOW + 1_000 + FORGET_MS + 1), 0);
  });

  it('are each forgotten in their own time', async () => {
    const hourly = { budgets: [budget('hourly', { free: 1, ceilingMs: 7_200_000 })], forgetMs: 3_600_000 };
    await admit(NOW, hourly);
    await admit(NOW + FORGET_MS + 1);
    for (let i = 1; i <= 12; i++) await admit(NOW + FORGET_MS * 2, hourly);
    assert.ok((await admit(NOW + FORGET_MS * 2, hourly)) > 0);
  });

  it('are taken back when they were no failure, never below none', async () => {
    await admit(NOW);
    for (let i = 0; i < 5; i++) await store().settle(attempt(NOW), false);
    assert.equal(await admit(NOW), 0);
    assert.equal(await admit(NOW), 0);
    assert.equal(await admit(NOW), 1_000);
  });

  it('forget their own budget’s failures after a success, but not those of the other budgets', async () => {
    const budgets = [budget('pair', { free: 3 }), budget('address', { free: 3 })];
    for (let i = 0; i < 3; i++) assert.equal(await admit(NOW, { budgets }), 0);
    await store().settle(attempt(NOW, { budgets }), true);
    assert.equal(await admit(NOW, { budgets: [budget('pair', { free: 1 })] }), 0);
    assert.equal(await admit(NOW, { budgets: [budget('address', { free: 2 })] }), 1_000);
  });

  it('that succeed make the address known to the account, as registering does, and to no other', async () => {
    await register(store(), 'ada');
    await register(store(), 'bob');
    await store().settle(attempt(NOW, { address: 'office' }), true);
    await store().settle(attempt(NOW, { address: 'cafe' }), false);
    await reopen();
    const known = (username: string) =>
      Promise.all(['home', 'office', 'cafe'].map((address) => store().knows(username, address, NOW)));
    assert.deepEqual(await known('ada'), [true, true, false]);
    assert.deepEqual(await known('bob'), [true, false, false]);
    assert.deepEqual(await known('nobody'), [false, false, false]);
    assert.equal(await store().knows('ada ', 'home', NOW), false);
    assert.equal(await store().knows('ada', 'home ', NOW), false);
  });

  it('keep an address known as long as it is used, and forget it when it was not', async () => {
    await register(store(), 'ada');
    await store().settle(attempt(NOW, { address: 'cafe' }), true);
    await store().settle(attempt(NOW + 10, { address: 'cafe' }), true);
    await store().settle(attempt(NOW + 5, { address: 'cafe' }), true);
    const known = (since: number) =>
      Promise.all(['home', 'cafe'].map((address) => store().knows('ada', address, since)));
    assert.deepEqual(await known(NOW), [true, true]);
    assert.deepEqual(await known(NOW + 10), [false, true]);
    assert.deepEqual(await known(NOW + 11), [false, false]);
    assert.equal(await store().dropAddresses(NOW), 0);
    assert.equal(await store().dropAddresses(NOW + 10), 1);
    assert.deepEqual(await known(0), [false, true]);
  });
}

function attempt(now: number, more: Partial<Attempt> = {}): Attempt {
  const usual = { username: 'ada', address: 'home', budgets: [budget('pair')], forgetMs: FORGET_MS };
  return { ...usual, now, ...more };
}

function budget(key: string, more: Partial<Budget> = {}): Budget {
  return { key, free: 2, ceilingMs: 5_000, ...more };
}
