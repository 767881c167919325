import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { planOpening } from './opening.ts';

const none = new Map<string, number>();

describe('the opening of a session', () => {
  it('begins after what the device has acknowledged, without a gap', () => {
    const positions = [{ conversation: 'x', lastSeq: 9, cursor: 4 }];
    assert.deepEqual(planOpening({ isNew: false, positions }, [], none), { positions, gaps: [] });
  });

  it('begins where the device says, but never beyond the end', () => {
    const positions = ['x', 'y'].map((conversation) => ({ conversation, lastSeq: 9, cursor: 4 }));
    const overrides = new Map([
      ['x', 2],
      ['y', 99],
    ]);
    const opening = planOpening({ isNew: false, positions }, [], overrides);
    assert.deepEqual(
      opening.positions.map((p) => p.cursor),
      [2, 9],
    );
    assert.deepEqual(opening.gaps, []);
  });

  it('gives a new device the newest entry of each conversation in its inbox, and says what it leaves out', () => {
    const positions = [
      { conversation: 'x', lastSeq: 9, cursor: 9 },
      { conversation: 'y', lastSeq: 1, cursor: 1 },
      { conversation: 'old', lastSeq: 5, cursor: 5 },
    ];
    const opening = planOpening({ isNew: true, positions }, [{ id: 'x' }, { id: 'y' }], none);
    assert.deepEqual(
      opening.positions.map((p) => p.cursor),
      [8, 0, 5],
    );
    assert.deepEqual(opening.gaps, [{ conversation: 'x', firstSeq: 1, lastSeq: 8 }]);
  });

  it('makes a gap of too much, and keeps the newest page', () => {
    const positions = [
      { conversation: 'x', lastSeq: 30_000, cursor: 4 },
      { conversation: 'y', lastSeq: 40, cursor: 10 },
    ];
    const opening = planOpening({ isNew: false, positions }, [], none);
    assert.deepEqual(
      opening.positions.map((p) => p.cursor),
      [29_950, 10],
    );
    assert.deepEqual(opening.gaps, [{ conversation: 'x', firstSeq: 5, lastSeq: 29_950 }]);
  });
});
