import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ImplicitAcks } from './implicit-acks.ts';

describe('a device that cannot acknowledge', () => {
  it('has what was written out 10 s before a frame of its own, and no more', () => {
    const acks = new ImplicitAcks();
    acks.writtenOut({ conversation: 'x', seq: 1 }, 1_000);
    acks.writtenOut({ conversation: 'x', seq: 2 }, 5_000);
    assert.deepEqual(acks.frameReceived(10_999), []);
    assert.deepEqual(acks.frameReceived(11_000), [{ conversation: 'x', seq: 1 }]);
    assert.deepEqual(acks.frameReceived(11_001), [], 'each place once');
    assert.deepEqual(acks.frameReceived(60_000), [{ conversation: 'x', seq: 2 }]);
  });

  it('has everything that was written out when it ends the stream cleanly', () => {
    const acks = new ImplicitAcks();
    acks.writtenOut({ conversation: 'x', seq: 1 }, 1_000);
    acks.writtenOut({ conversation: 'y', seq: 7 }, 1_001);
    acks.writtenOut({ conversation: 'x', seq: 2 }, 9_000);
    assert.deepEqual(acks.endedCleanly(), [
      { conversation: 'x', seq: 2 },
      { conversation: 'y', seq: 7 },
    ]);
  });
});
