import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Claim, type Opening, OpeningPlan } from './opening.ts';
import type { Position } from './ports.ts';

const DAY = 24 * 3_600_000;
const BASE = 100 * DAY;
const none = new Map<string, Claim>();

function position(conversation: string, lastSeq: number, more: Partial<Position> = {}): Position {
  const times = { createdAt: 1, lastSentAt: 1 };
  return { conversation, lastSeq, cursor: undefined, ...times, marksRevision: 3, marksTaken: 0, ...more };
}

/** `sentAt` gives when an entry was sent, for the conversations that must be looked into. */
function open(
  positions: Position[],
  claims: ReadonlyMap<string, Claim> = none,
  sentAt: (conversation: string, seq: number) => number = () => 1,
): Opening {
  const plan = new OpeningPlan({ epoch: 'one', baseAt: BASE, revision: 0, positions }, claims);
  const newest = plan.moments.map(({ conversation, lastSeq, at }) => {
    const seqs = Array.from({ length: lastSeq }, (_, i) => i + 1);
    return seqs.findLast((seq) => sentAt(conversation, seq) <= at) ?? 0;
  });
  return plan.opening(newest);
}

const cursors = ({ starts }: Opening) => starts.map(({ conversation, cursor }) => [conversation, cursor]);

/** A hundred conversations that are more active than any of the tests'. */
const busy = Array.from({ length: 100 }, (_, i) =>
  position(`busy${i}`, 1, { cursor: 1, lastSentAt: BASE + DAY + i, marksTaken: 3 }),
);

describe('the opening of a stream', () => {
  it('begins after what the device has acknowledged, without a gap', () => {
    const opening = open([position('x', 9, { cursor: 4 })]);
    assert.deepEqual([cursors(opening), opening.gaps, opening.listInbox], [[['x', 4]], [], false]);
  });

  it('begins where the device says, in both directions', () => {
    const claims = new Map([
      ['x', { seq: 2, marksTaken: 0 }],
      ['y', { seq: 9, marksTaken: 2 }],
    ]);
    const opening = open(
      [position('x', 9, { cursor: 4, marksTaken: 1 }), position('y', 9, { cursor: 4 })],
      claims,
    );
    assert.deepEqual(cursors(opening), [
      ['x', 2],
      ['y', 9],
    ]);
    assert.deepEqual(
      opening.starts.map(({ marksTaken }) => marksTaken),
      [1, 2],
    );
    assert.deepEqual(opening.gaps, []);
  });

  it('begins a conversation anew whose log does not go so far as the device, by its word or by its cursor', () => {
    const claims = new Map([['x', { seq: 10, marksTaken: 3 }]]);
    const opening = open([position('x', 8, { cursor: 8 }), position('y', 8, { cursor: 9 })], claims);
    assert.deepEqual(cursors(opening), [
      ['x', 7],
      ['y', 7],
    ]);
    assert.deepEqual(opening.gaps, [
      { conversation: 'x', firstSeq: 1, lastSeq: 7 },
      { conversation: 'y', firstSeq: 1, lastSeq: 7 },
    ]);
    assert.deepEqual(
      opening.starts.map(({ marksTaken }) => marksTaken),
      [0, 0],
    );
  });

  it('gives a new device the newest entry of each conversation in its inbox, and says what it leaves out', () => {
    const opening = open([position('x', 9), position('y', 1)]);
    assert.deepEqual(cursors(opening), [
      ['x', 8],
      ['y', 0],
    ]);
    assert.deepEqual(opening.gaps, [{ conversation: 'x', firstSeq: 1, lastSeq: 8 }]);
  });

  it('tells a device that acknowledged nothing the same again, and what has come since', () => {
    const grown = position('x', 12, { lastSentAt: BASE + 5 });
    const begun = position('y', 3, { createdAt: BASE + 1, lastSentAt: BASE + 3 });
    const opening = open([grown, begun], none, (_, seq) => (seq <= 9 ? 1 : BASE + 5));
    assert.deepEqual(cursors(opening), [
      ['x', 8],
      ['y', 0],
    ]);
    assert.deepEqual(opening.gaps, [{ conversation: 'x', firstSeq: 1, lastSeq: 8 }]);
  });

  it('beyond the inbox’s first page leaves out what was quiet for a day before the device, and says so', () => {
    const quiet = position('quiet', 7, { lastSentAt: BASE - DAY - 1 });
    const opening = open([...busy, quiet]);
    assert.deepEqual(cursors(opening).at(-1), ['quiet', 7]);
    assert.deepEqual([opening.gaps, opening.listInbox], [[], true]);
    assert.equal(opening.starts.at(-1)?.marksTaken, 3);
    assert.equal(open(busy).listInbox, false);
  });

  it('beyond it begins another after its newest entry of a day before, for clocks differ', () => {
    const recent = position('recent', 7, { lastSentAt: BASE - 5 });
    const opening = open([...busy, recent], none, (_, seq) => (seq <= 4 ? BASE - DAY - 1 : BASE - 5));
    assert.deepEqual(cursors(opening).at(-1), ['recent', 4]);
    assert.deepEqual(opening.gaps, [{ conversation: 'recent', firstSeq: 1, lastSeq: 4 }]);
    const young = position('young', 7, { createdAt: BASE - 9, lastSentAt: BASE - 5 });
    assert.deepEqual(cursors(open([...busy, young])).at(-1), ['young', 0]);
  });

  it('makes a gap of too much, and keeps the newest page', () => {
    const opening = open([
      position('x', 30_000, { cursor: 4, marksTaken: 2 }),
      position('y', 40, { cursor: 10 }),
    ]);
    assert.deepEqual(cursors(opening), [
      ['x', 29_950],
      ['y', 10],
    ]);
    assert.deepEqual(opening.gaps, [{ conversation: 'x', firstSeq: 5, lastSeq: 29_950 }]);
    assert.equal(
      opening.starts[0]?.marksTaken,
      0,
      'marks that follow from entries may be among those left out',
    );
  });
});
