import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError, toServiceError } from '#common/errors.ts';
import { createLog } from '#common/log.ts';
import { Hub } from './hub.ts';
import type { Marks, Reached } from './ports.ts';
import { ReadMarks } from './read-marks.ts';

const hints = {
  node: 'n',
  tellEntries() {},
  tellMarks() {},
  tellOpened() {},
  listen: () => ({ [Symbol.dispose]() {} }),
};
const log = createLog('test', 'silent');
const reached = (i: number): Reached => ({ user: `user${i}`, conversation: `user${i}:zoe`, seq: 1 });
const marksOf = ({ user, conversation, seq }: Reached): Marks => {
  return { conversation, member: user, readSeq: seq, deliveredSeq: 0, revision: 1, marksRevision: 2 };
};

describe('read marks', () => {
  const moveAll = async (markRead: (reads: Reached[]) => Promise<Marks[]>) => {
    const marks = new ReadMarks({ markRead }, new Hub(hints, Date.now), log);
    const moves = Array.from({ length: 20 }, (_, i) => marks.move(reached(i)));
    return Promise.allSettled(moves);
  };

  it('move but for one that the store cannot take, which is refused alone', async () => {
    const moved = await moveAll(async (reads) => {
      if (reads.some(({ user }) => user === 'user7')) throw new Error('data too long');
      return reads.map(marksOf);
    });
    for (const [i, move] of moved.entries()) {
      if (i !== 7) assert.deepEqual(move, { status: 'fulfilled', value: marksOf(reached(i)) });
      else assert.equal(move.status === 'rejected' && toServiceError(move.reason).code, 'INTERNAL');
    }
  });

  it('are all refused where the store is away, without asking it for each of them', async () => {
    let runs = 0;
    const moved = await moveAll(async () => {
      runs++;
      throw new ServiceError('UNAVAILABLE');
    });
    assert.ok(moved.every((move) => move.status === 'rejected' && move.reason.reason === 'UNAVAILABLE'));
    assert.equal(runs, 2, 'the first came alone, the others together');
  });

  it('of users come in turns, and equal ones that wait are one', async () => {
    const batches: Reached[][] = [];
    const marks = new ReadMarks(
      {
        markRead: async (reads) => {
          batches.push(reads);
          return reads.map(marksOf);
        },
      },
      new Hub(hints, Date.now),
      log,
    );
    const flood = Array.from({ length: 1_000 }, (_, i) => marks.move({ ...reached(1), seq: (i % 500) + 1 }));
    const other = marks.move(reached(2));
    await Promise.all([...flood, other]);
    assert.equal(batches.flat().length, 502, 'the first went before its equal came');
    const place = batches.flat().findIndex(({ user }) => user === 'user2');
    assert.ok(place <= 3, `the other user came as number ${place}`);
  });

  it('are refused where more wait than can be held', async () => {
    const marks = new ReadMarks({ markRead: () => new Promise(() => {}) }, new Hub(hints, Date.now), log);
    const move = (seq: number) => marks.move({ ...reached(1), seq });
    for (let seq = 1; seq <= 50_200; seq++) move(seq).catch(() => {});
    await assert.rejects(move(60_000), { reason: 'OVERLOADED' });
  });
});
