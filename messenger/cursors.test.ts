import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import { createLog } from '#common/log.ts';
import { Cursors } from './cursors.ts';
import type { DeviceCursor, Marks } from './ports.ts';

const cursor = (i: number, seq = 1): DeviceCursor => ({
  user: `user${i}`,
  device: 'phone',
  conversation: 'ada:bob',
  seq,
  marksTaken: 0,
});

describe('device cursors', () => {
  it('are saved in short transactions, however many have gathered, and kept while the store is away', async () => {
    const saved: DeviceCursor[][] = [];
    let fails = false;
    const store = {
      async saveCursors(cursors: DeviceCursor[]) {
        if (fails && saved.length === 1) throw new ServiceError('UNAVAILABLE');
        saved.push(cursors);
        return [];
      },
    };
    const cursors = new Cursors(store, () => {}, createLog('test', 'silent'));
    for (let i = 0; i < 1_200; i++) cursors.move(cursor(i));
    fails = true;
    await cursors.save();
    assert.deepEqual(
      saved.map(({ length }) => length),
      [500],
    );
    cursors.move(cursor(1_000, 7));
    fails = false;
    await cursors.save();
    assert.deepEqual(
      saved.map(({ length }) => length),
      [500, 500, 200],
    );
    assert.equal(saved.flat().filter(({ user }) => user === 'user1000').length, 1);
    assert.equal(saved.flat().find(({ user }) => user === 'user1000')?.seq, 7);
  });

  it('are saved but for one that the store cannot take, which is dropped', async () => {
    const saved: DeviceCursor[] = [];
    let runs = 0;
    const store = {
      async saveCursors(batch: DeviceCursor[]) {
        runs++;
        if (batch.some(({ user }) => user === 'user7')) throw new Error('data too long');
        saved.push(...batch);
        return [];
      },
    };
    const cursors = new Cursors(store, () => {}, createLog('test', 'silent'));
    for (let i = 0; i < 20; i++) cursors.move(cursor(i));
    await cursors.save();
    assert.deepEqual(
      saved.map(({ user }) => user),
      Array.from({ length: 20 }, (_, i) => `user${i}`).filter((user) => user !== 'user7'),
    );
    const before = runs;
    await cursors.save();
    assert.equal(runs, before, 'the dropped one is not tried again');
  });

  it('are kept up to a bound while the store is away, the newest of them', async () => {
    const saved: DeviceCursor[] = [];
    let isAway = true;
    const store = {
      async saveCursors(batch: DeviceCursor[]) {
        if (isAway) throw new ServiceError('UNAVAILABLE');
        saved.push(...batch);
        return [];
      },
    };
    const cursors = new Cursors(store, () => {}, createLog('test', 'silent'));
    for (let i = 0; i < 100_010; i++) cursors.move(cursor(i));
    await cursors.save();
    isAway = false;
    await cursors.save();
    assert.equal(saved.length, 100_000);
    const users = new Set(saved.map(({ user }) => user));
    assert.ok(users.has('user10') && !users.has('user9'));
  });

  it('of one user are saved without waiting for those of others, and after those of theirs that are under way', async () => {
    const batches: DeviceCursor[][] = [];
    const ends: (() => void)[] = [];
    const store = {
      saveCursors(batch: DeviceCursor[]) {
        batches.push(batch);
        return new Promise<Marks[]>((resolve) => ends.push(() => resolve([])));
      },
    };
    const cursors = new Cursors(store, () => {}, createLog('test', 'silent'));
    const many = Array.from({ length: 700 }, (_, i) => ({ ...cursor(1), conversation: `user1:z${i}` }));
    for (const one of many) cursors.move(one);
    cursors.move(cursor(2));
    const saving = cursors.save();
    await turn();
    assert.deepEqual(
      batches.map((batch) => [batch.length, batch.slice(0, 2).map(({ user }) => user)]),
      [[500, ['user1', 'user2']]],
      'users take turns',
    );
    cursors.move(cursor(3));
    const third = cursors.saveOf('user3');
    const second = cursors.saveOf('user2');
    await turn();
    assert.equal(batches.length, 2, 'the third one’s, and nothing of the second one’s yet');
    ends[1]?.();
    await third;
    ends[0]?.();
    await second;
    await turn();
    ends[2]?.();
    await saving;
    assert.equal(batches.flat().length, 702);
  });
});
