import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import type { Entry, Range } from './ports.ts';
import { Reader, type Sink } from './reader.ts';

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
    assert.equal(reader.skip('x', 6), false, 'beyond the end');
    assert.equal(reader.skip('elsewhere', 1), false);
    sink.room = 10;
    reader.resume();
    while (sink.seen.length < 3) await turn();
    assert.deepEqual(sink.seen, ['caught up', 'x1', 'x5']);
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
