import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import type { ServiceError } from '#common/errors.ts';
import type { Entry, Range } from './ports.ts';
import { type EntrySource, Reader, type Sink } from './reader.ts';

/** A log in memory that the reader reads like a store; counts its reads. */
class Log {
  readonly entries = new Map<string, Entry[]>();
  reads = 0;

  append(conversation: string, count = 1): Entry[] {
    const log = this.entries.get(conversation) ?? [];
    this.entries.set(conversation, log);
    const added = Array.from({ length: count }, (_, i) => entry(conversation, log.length + i + 1));
    log.push(...added);
    return added;
  }

  store = {
    entries: async (ranges: Range[], max: number): Promise<Entry[]> => {
      this.reads++;
      await turn();
      return ranges.flatMap((r) => (this.entries.get(r.conversation) ?? []).slice(r.after)).slice(0, max);
    },
  };
}

/** A sink with room for so many entries. */
class Window implements Sink {
  readonly seen: string[] = [];
  room: number;
  largest = 0;
  readonly caught = Promise.withResolvers<void>();
  readonly failure = Promise.withResolvers<unknown>();

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room;
  }
  write(entries: Entry[]): boolean {
    this.largest = Math.max(this.largest, entries.length);
    for (const { conversation, seq } of entries) this.seen.push(`${conversation}${seq}`);
    this.room -= entries.length;
    return this.room > 0;
  }
  caughtUp(): void {
    this.seen.push('caught up');
    this.caught.resolve();
  }
  failed(error: unknown): void {
    this.failure.resolve(error);
  }
}

function entry(conversation: string, seq: number): Entry {
  return {
    conversation,
    seq,
    sender: 'a',
    clientId: '',
    sentAt: 0,
    clientTime: 0n,
    messagesSoFar: seq,
    body: '',
  };
}

describe('a reader', () => {
  it('writes what was missed, says so, and goes on from memory', async () => {
    const log = new Log();
    log.append('x', 3);
    log.append('y', 1);
    const sink = new Window();
    const reader = new Reader(log.store, sink);
    reader.start([
      { conversation: 'x', lastSeq: 3, cursor: 1 },
      { conversation: 'y', lastSeq: 1, cursor: 0 },
    ]);
    await sink.caught.promise;
    const reads = log.reads;
    reader.push(log.append('x'));
    reader.push(log.append('z'));
    assert.deepEqual(sink.seen, ['x2', 'x3', 'y1', 'caught up', 'x4', 'z1']);
    assert.equal(log.reads, reads, 'a push that is next needs no read');
  });

  it('misses nothing that is pushed before it has started', async () => {
    const log = new Log();
    const sink = new Window();
    const reader = new Reader(log.store, sink);
    reader.push(log.append('x', 2));
    reader.start([]);
    await sink.caught.promise;
    assert.deepEqual(sink.seen, ['x1', 'x2', 'caught up']);
  });

  it('fills the hole that a lost push leaves, in order and without a repeat', async () => {
    const log = new Log();
    const sink = new Window();
    const reader = new Reader(log.store, sink);
    reader.start([]);
    await sink.caught.promise;
    reader.push(log.append('x', 2));
    log.append('x', 3);
    reader.push(log.append('x', 1));
    reader.push(log.append('x', 1));
    while (sink.seen.length < 8) await turn();
    assert.deepEqual(sink.seen.slice(1), ['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7']);
  });

  it('stops at a full sink, holds nothing for it, and reads on from the log when it drains', async () => {
    const log = new Log();
    const sink = new Window(1);
    const reader = new Reader(log.store, sink);
    reader.start([]);
    await sink.caught.promise;
    for (let i = 0; i < 2_000; i++) reader.push(log.append('x'));
    await turn();
    assert.deepEqual(sink.seen, ['caught up', 'x1']);
    sink.room = Number.POSITIVE_INFINITY;
    reader.resume();
    while (sink.seen.length < 2_001) await turn();
    assert.deepEqual(
      sink.seen.slice(1),
      Array.from({ length: 2_000 }, (_, i) => `x${i + 1}`),
    );
    assert.ok(sink.largest <= 500, `${sink.largest} entries at once`);
  });

  it('does not write again what the device says it has', async () => {
    const log = new Log();
    const sink = new Window(1);
    const reader = new Reader(log.store, sink);
    reader.start([]);
    await sink.caught.promise;
    for (let i = 0; i < 5; i++) reader.push(log.append('x'));
    assert.equal(reader.skip('x', 4), true);
    assert.equal(reader.skip('x', 6), false, 'beyond what is known');
    assert.equal(reader.skip('elsewhere', 1), false);
    sink.room = 10;
    reader.resume();
    while (sink.seen.length < 3) await turn();
    assert.deepEqual(sink.seen, ['caught up', 'x1', 'x5']);
  });

  it('takes an acknowledgement of what it wrote, though nothing has told of it yet', async () => {
    const log = new Log();
    const sink = new Window();
    const reader = new Reader(log.store, sink);
    log.append('x', 2);
    reader.start([{ conversation: 'x', lastSeq: 1, cursor: 0 }]);
    // The log goes on to where a push has not come yet.
    await sink.caught.promise;
    assert.deepEqual(sink.seen, ['x1', 'x2', 'caught up']);
    assert.equal(reader.skip('x', 2), true);
    reader.push([entry('x', 2)]);
    reader.push(log.append('x'));
    assert.deepEqual(sink.seen.slice(3), ['x3']);
  });

  it('begins after what is announced while it loads, where the device has it already', async () => {
    const log = new Log();
    const sink = new Window();
    const reader = new Reader(log.store, sink);
    log.append('x', 3);
    reader.announce({ conversation: 'x', lastSeq: 2 });
    reader.start([{ conversation: 'x', lastSeq: 3, cursor: 3 }]);
    await sink.caught.promise;
    assert.deepEqual([sink.seen, log.reads], [['caught up'], 0]);
  });

  it('has caught up when it has written what was known at the opening, though more keeps coming', async () => {
    const log = new Log();
    const sink = new Window();
    const reader = new Reader(
      {
        // Whenever it reads, the conversation has grown by the time it has read.
        entries: async (ranges, max) => {
          const entries = await log.store.entries(ranges, max);
          reader.push(log.append('x', 600));
          return entries;
        },
      },
      sink,
    );
    log.append('x', 5);
    log.append('y', 5);
    reader.start([
      { conversation: 'x', lastSeq: 5, cursor: 0 },
      { conversation: 'y', lastSeq: 5, cursor: 0 },
    ]);
    await sink.caught.promise;
    reader.close();
    assert.ok(['x5', 'y5'].every((seen) => sink.seen.includes(seen)));
  });

  it('keeps no conversation waiting for one that grows as fast as it is read', async () => {
    const log = new Log();
    const sink = new Window(1);
    const reader = new Reader(
      {
        entries: async (ranges, max) => {
          const entries = await log.store.entries(ranges, max);
          reader.push(log.append('x', 600));
          return entries;
        },
      },
      sink,
    );
    reader.start([]);
    await sink.caught.promise;
    reader.push(log.append('x'));
    for (const conversation of ['x', 'y', 'x', 'y']) reader.push(log.append(conversation, 600));
    sink.room = Number.POSITIVE_INFINITY;
    reader.resume();
    while (!sink.seen.includes('y1200')) await turn();
    reader.close();
  });

  it('begins a conversation anew without a hole, though it is being read at that moment', async () => {
    const log = new Log();
    const sink = new Window();
    const reader = new Reader(log.store, sink);
    log.append('x', 3);
    reader.start([{ conversation: 'x', lastSeq: 3, cursor: 2 }]);
    reader.restart({ conversation: 'x', lastSeq: 3, cursor: 1 });
    await sink.caught.promise;
    while (!sink.seen.includes('x3')) await turn();
    assert.deepEqual(
      sink.seen.filter((seen) => seen !== 'caught up'),
      ['x2', 'x3'],
    );
  });

  it('is UNAVAILABLE, and no fault of ours, where the log does not hold what was told of', async () => {
    const sink = new Window();
    const reader = new Reader({ entries: async () => [] }, sink);
    reader.start([{ conversation: 'x', lastSeq: 1, cursor: 0 }]);
    assert.equal(((await sink.failure.promise) as ServiceError).reason, 'UNAVAILABLE');
  });

  it('gives up a read that is under way when it is closed', async () => {
    const sink = new Window();
    const aborted = Promise.withResolvers<void>();
    const source: EntrySource = {
      entries: (_ranges, _max, signal) => {
        signal?.addEventListener('abort', () => aborted.resolve());
        return new Promise(() => {});
      },
    };
    const reader = new Reader(source, sink);
    reader.start([{ conversation: 'x', lastSeq: 1, cursor: 0 }]);
    reader.close();
    await aborted.promise;
  });

  it('reports a log that cannot be read, and writes nothing more', async () => {
    const sink = new Window();
    const reader = new Reader({ entries: () => Promise.reject(new Error('disk')) }, sink);
    reader.start([{ conversation: 'x', lastSeq: 1, cursor: 0 }]);
    assert.match(String(await sink.failure.promise), /disk/);
    reader.push([entry('x', 2)]);
    assert.deepEqual(sink.seen, []);
  });
});
