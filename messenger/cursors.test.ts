import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createLog } from '#common/log.ts';
import { Cursors } from './cursors.ts';
import type { DeviceCursor } from './ports.ts';

const cursor = (i: number, seq = 1): DeviceCursor => ({
  user: `user${i}`,
  device: 'phone',
  conversation: 'ada:bob',
  seq,
  marksTaken: 0,
});

describe('device cursors', () => {
  it('are saved in short transactions, however many have gathered, and kept where that fails', async () => {
    const saved: DeviceCursor[][] = [];
    let fails = false;
    const store = {
      async saveCursors(cursors: DeviceCursor[]) {
        if (fails && saved.length === 1) throw new Error('away');
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
});
