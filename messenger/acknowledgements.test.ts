import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { ServiceError } from '#common/errors.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { Gap } from './opening.ts';
import type { DeviceCursor, Entry, Head, Range } from './ports.ts';
import { Reader } from './reader.ts';
import { UserRate } from './user-rate.ts';

/** A device of Ada's whose conversation `ada:bob` is known here up to 3, and stands at `lastSeq` in the log. */
async function device(lastSeq: number, perSecond = 1_000_000) {
  const written: number[] = [];
  const moved: DeviceCursor[] = [];
  const gaps: Gap[] = [];
  const caughtUp = Promise.withResolvers<void>();
  const aborter = new AbortController();
  const entries = async ([range]: Range[]) =>
    Array.from({ length: lastSeq - (range?.after ?? 0) }, (_, i) => {
      return { conversation: 'ada:bob', seq: (range?.after ?? 0) + i + 1 } as Entry;
    });
  const reader = new Reader(
    { entries },
    {
      write: (some) => written.push(...some.map(({ seq }) => seq)) > 0,
      caughtUp: caughtUp.resolve,
      failed: caughtUp.reject,
    },
  );
  reader.start([{ conversation: 'ada:bob', lastSeq: 3, cursor: 3 }]);
  await caughtUp.promise;
  const acks = new Acknowledgements({
    user: 'ada',
    device: 'phone',
    reader,
    cursors: { move: (cursor) => void moved.push(cursor) },
    rate: new UserRate({ perSecond, burst: perSecond }, () => 0),
    store: { heads: async (): Promise<Head[]> => [{ conversation: 'ada:bob', lastSeq }] },
    stream: { signal: aborter.signal, onPassed() {}, onGap: (gap) => gaps.push(gap) },
  });
  const ack = (seq: number, conversation = 'ada:bob') => acks.take([{ conversation, seq, marksTaken: 0 }]);
  return { ack, written, moved, gaps, aborter };
}

describe('acknowledgements', () => {
  it('move the cursor without waiting, where the entry is known here', async () => {
    const { ack, moved } = await device(3);
    assert.equal(ack(2), undefined);
    assert.deepEqual(
      moved.map(({ seq }) => seq),
      [2],
    );
  });

  it('of an entry that only another node has told of are looked up in the log', async () => {
    const { ack, moved, gaps } = await device(5);
    await ack(5);
    assert.deepEqual([moved.map(({ seq }) => seq), gaps], [[5], []]);
  });

  it('beyond the end of the log begin the conversation anew, and move nothing', async () => {
    const { ack, moved, gaps, written } = await device(3);
    await ack(10);
    while (written.length === 0) await new Promise(setImmediate);
    assert.deepEqual([moved, written], [[], [3]]);
    assert.deepEqual(gaps, [{ conversation: 'ada:bob', firstSeq: 1, lastSeq: 2 }]);
  });

  it('in a conversation of others are NOT_FOUND', async () => {
    const { ack } = await device(3);
    assert.throws(
      () => ack(1, 'bob:cleo'),
      (error: ServiceError) => error.reason === 'NOT_FOUND',
    );
  });

  it('hold a stream back that acknowledges more than its user’s budget, until it ends', async () => {
    const { ack, moved, aborter } = await device(3, 1);
    const waits = Array.from({ length: 60 }, () => ack(3));
    assert.equal(moved.length, 60, 'none is lost');
    const held = waits.filter((wait) => wait !== undefined);
    assert.ok(held.length > 0 && held.length < 60);
    const results = Promise.allSettled(held);
    aborter.abort();
    assert.ok((await results).every(({ status }) => status === 'rejected'));
  });
});
