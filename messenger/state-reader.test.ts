import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Marks, Range, StatePage } from './ports.ts';
import { StateReader, type StateSink } from './state-reader.ts';

const ME = 'ada';
const MEMBERS = [ME, 'bob', 'cleo'];
const CONVERSATIONS = ['x', 'y'];

/** One change of a mark, and who hears of it: of what is lost, of a hint that comes late, and of all that was moved together. */
type Step =
  | { kind: 'move'; conversation: string; member: string; what: 'read' | 'delivered'; told: boolean }
  | { kind: 'move all' }
  | { kind: 'tell'; index: number }
  | { kind: 'read' }
  | { kind: 'resume' }
  | { kind: 'full' }
  | { kind: 'start'; share: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('move' as const),
    conversation: fc.constantFrom(...CONVERSATIONS),
    member: fc.constantFrom(...MEMBERS),
    what: fc.constantFrom('read' as const, 'delivered' as const),
    told: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('tell' as const), index: fc.integer({ min: 0, max: 3 }) }),
  fc.constantFrom<Step>({ kind: 'move all' }, { kind: 'read' }, { kind: 'resume' }, { kind: 'full' }),
  fc.record({ kind: fc.constant('start' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
);

const key = (conversation: string, member: string) => `${conversation} ${member}`;

/** Marks as a store keeps them, a reader of them, and a device that may be cut off after any frame. */
class Model implements StateSink {
  readonly stored = new Map<string, Marks>();
  readonly device = new Map<string, Marks>();
  /** What the device would open its next stream with. */
  taken = 0;
  readonly marksTaken = new Map<string, number>();
  reader: StateReader | undefined;
  readonly readsEarly: boolean;
  isCaughtUp = false;
  #revision = 0;
  readonly #marksRevisions = new Map<string, number>();
  readonly #untold: Marks[] = [];
  readonly #reads: (() => void)[] = [];
  #hasRoom = true;

  constructor(readsEarly: boolean) {
    this.readsEarly = readsEarly;
    for (const conversation of CONVERSATIONS) {
      this.#marksRevisions.set(conversation, 1);
      for (const member of MEMBERS) {
        const none = { readSeq: 1, deliveredSeq: 0, revision: 0, marksRevision: 1 };
        this.stored.set(key(conversation, member), { conversation, member, ...none });
      }
    }
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'move') this.#move(step.conversation, step.member, step.what, step.told, true);
    else if (step.kind === 'move all') this.#moveAll();
    else if (step.kind === 'tell') this.#tell(step.index);
    else if (step.kind === 'read') this.#reads.shift()?.();
    else if (step.kind === 'resume') this.#resume();
    else if (step.kind === 'full') this.#hasRoom = false;
    else this.start(step.share);
    await settle();
  }

  /** `share`: how much of the state the device has. */
  start(share: number): void {
    if (this.reader !== undefined) return;
    this.taken = Math.floor(share * this.#revision);
    for (const mark of this.stored.values())
      if (mark.member === ME && mark.revision <= this.taken)
        this.device.set(key(mark.conversation, ME), mark);
    const conversations = Array.from(this.#marksRevisions, ([conversation, marksRevision]) => {
      const marksTaken = Math.floor(share * marksRevision);
      this.marksTaken.set(conversation, marksTaken);
      for (const mark of this.stored.values())
        if (mark.conversation === conversation && mark.marksRevision <= marksTaken)
          this.device.set(key(conversation, mark.member), mark);
      return { conversation, marksTaken, marksRevision };
    });
    const store = {
      stateAfter: (_: string, revision: number) => this.#answer(() => this.#stateAfter(revision)),
      marksAfter: (ranges: readonly Range[]) => this.#answer(() => this.#marksAfter(ranges)),
    };
    this.reader = new StateReader(ME, store, this);
    this.reader.start({ taken: this.taken, revision: this.#revision, conversations });
  }

  /** Every change is told of in the end, by the journal, and there is room for it. */
  async finish(): Promise<void> {
    this.start(0);
    this.reader?.push([...this.stored.values()]);
    this.#resume();
    do {
      this.#reads.shift()?.();
      await settle();
    } while (this.#reads.length > 0);
  }

  writeMarks(marks: Marks[]): boolean {
    for (const mark of marks) {
      const known = this.device.get(key(mark.conversation, mark.member)) ?? mark;
      const { readSeq, deliveredSeq } = mark;
      this.device.set(key(mark.conversation, mark.member), {
        ...mark,
        readSeq: Math.max(readSeq, known.readSeq),
        deliveredSeq: Math.max(deliveredSeq, known.deliveredSeq),
      });
      if (mark.member === ME) this.taken = Math.max(this.taken, mark.revision);
      const marksTaken = this.marksTaken.get(mark.conversation) ?? 0;
      this.marksTaken.set(mark.conversation, Math.max(marksTaken, mark.marksRevision));
    }
    this.#requireSafe();
    return this.#hasRoom;
  }

  stateCaughtUp(): void {
    assert.equal(this.isCaughtUp, false, 'once');
    this.isCaughtUp = true;
  }

  failed(error: unknown): void {
    throw error;
  }

  /** Were the device cut off now and opened again with what it has, nothing would be missing. */
  #requireSafe(): void {
    for (const mark of this.stored.values()) {
      const known = this.device.get(key(mark.conversation, mark.member));
      const isKnown = known?.readSeq === mark.readSeq && known.deliveredSeq === mark.deliveredSeq;
      const comesByMarks = mark.marksRevision > (this.marksTaken.get(mark.conversation) ?? 0);
      const comesByRevision = mark.member === ME && mark.revision > this.taken;
      assert.ok(isKnown || comesByMarks || comesByRevision, `${JSON.stringify(mark)} would be lost`);
      const isOwnTaken = mark.member === ME && mark.revision > 0 && mark.revision <= this.taken;
      assert.ok(!isOwnTaken || known?.readSeq === mark.readSeq, `${this.taken} is not safe`);
    }
  }

  #move(
    conversation: string,
    member: string,
    what: 'read' | 'delivered',
    told: boolean,
    isAlone: boolean,
  ): void {
    const mark = this.stored.get(key(conversation, member)) as Marks;
    const marksRevision = (this.#marksRevisions.get(conversation) ?? 0) + 1;
    this.#marksRevisions.set(conversation, marksRevision);
    const isOwnRead = what === 'read' && member === ME;
    if (isOwnRead && isAlone) this.#revision++;
    const moved = {
      ...mark,
      readSeq: mark.readSeq + (what === 'read' ? 1 : 0),
      deliveredSeq: mark.deliveredSeq + (what === 'read' ? 0 : 1),
      revision: isOwnRead ? this.#revision : mark.revision,
      marksRevision,
    };
    this.stored.set(key(conversation, member), moved);
    if (told) this.#untold.push(moved);
  }

  /** One's own in all conversations, under one revision, as one batch does; told of by conversation. */
  #moveAll(): void {
    this.#revision++;
    for (const conversation of CONVERSATIONS) this.#move(conversation, ME, 'read', true, false);
  }

  /** Hints overtake each other. */
  #tell(index: number): void {
    const [mark] = this.#untold.splice(Math.min(index, this.#untold.length - 1), 1);
    if (mark !== undefined) this.reader?.push([mark]);
  }

  #resume(): void {
    this.#hasRoom = true;
    this.reader?.resume();
  }

  #stateAfter(revision: number): StatePage {
    const own = [...this.stored.values()].filter((mark) => mark.member === ME && mark.revision > revision);
    return { marks: own.sort((a, b) => a.revision - b.revision), revision: this.#revision };
  }

  #marksAfter(ranges: readonly Range[]): Marks[] {
    return ranges.flatMap(({ conversation, after }) =>
      [...this.stored.values()].filter((m) => m.conversation === conversation && m.marksRevision > after),
    );
  }

  /** A read that ends when it is told to, with what was stored when it began, or when it ends. */
  #answer<T>(read: () => T): Promise<T> {
    const before = read();
    return new Promise((resolve) => this.#reads.push(() => resolve(this.readsEarly ? before : read())));
  }
}

/** What is fulfilled goes on as far as it can. */
async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
}

describe('a reader of state', () => {
  it('tells every mark in the end, and no revision before all that it stands for, whatever comes in whatever order', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40, size: 'max' }),
        fc.boolean(),
        async (steps, readsEarly) => {
          const model = new Model(readsEarly);
          for (const one of steps) await model.take(one);
          await model.finish();
          assert.ok(model.isCaughtUp);
          for (const [name, { readSeq, deliveredSeq }] of model.stored) {
            const known = model.device.get(name);
            assert.deepEqual([known?.readSeq, known?.deliveredSeq], [readSeq, deliveredSeq], name);
          }
        },
      ),
      { numRuns: 2_000, seed: 1 },
    );
  });

  it('has caught up when what had changed at the opening is told, though more keeps changing', async () => {
    const caughtUp = Promise.withResolvers<void>();
    let revision = 5;
    const mark = { conversation: 'x', member: 'bob', readSeq: 1, deliveredSeq: 0, revision: 0 };
    const reader = new StateReader(
      ME,
      {
        stateAfter: async () => ({ marks: [], revision: 0 }),
        marksAfter: async () => {
          const marks = [{ ...mark, marksRevision: revision }];
          reader.push([{ ...mark, marksRevision: ++revision + 1 }]);
          return marks;
        },
      },
      { writeMarks: () => true, stateCaughtUp: () => caughtUp.resolve(), failed: caughtUp.reject },
    );
    reader.start({
      taken: 0,
      revision: 0,
      conversations: [{ conversation: 'x', marksTaken: 3, marksRevision: 5 }],
    });
    await caughtUp.promise;
    reader.close();
  });

  it('begins again with a device that knows more than there is', async () => {
    const asked: unknown[] = [];
    const caughtUp = Promise.withResolvers<void>();
    const reader = new StateReader(
      ME,
      {
        stateAfter: async (_, after) => {
          asked.push(['own', after]);
          return { marks: [], revision: 2 };
        },
        marksAfter: async (ranges) => {
          asked.push(...ranges);
          return [];
        },
      },
      { writeMarks: () => true, stateCaughtUp: () => caughtUp.resolve(), failed: caughtUp.reject },
    );
    reader.start({
      taken: 9,
      revision: 2,
      conversations: [{ conversation: 'x', marksTaken: 8, marksRevision: 3 }],
    });
    await caughtUp.promise;
    assert.deepEqual(asked, [['own', 0], { conversation: 'x', after: 0 }]);
  });

  it('tells a mark that a node of an earlier version moved, which gave it no revision', async () => {
    const told: Marks[] = [];
    const caughtUp = Promise.withResolvers<void>();
    const mark = {
      conversation: 'x',
      member: 'bob',
      readSeq: 7,
      deliveredSeq: 0,
      revision: 4,
      marksRevision: 3,
    };
    const reader = new StateReader(
      ME,
      {
        stateAfter: async () => ({ marks: [], revision: 0 }),
        marksAfter: async ([range]) =>
          [mark].filter(({ marksRevision }) => marksRevision > (range?.after ?? 0)),
      },
      {
        writeMarks: (marks) => told.push(...marks) > 0,
        stateCaughtUp: () => caughtUp.resolve(),
        failed: caughtUp.reject,
      },
    );
    reader.start({
      taken: 0,
      revision: 0,
      conversations: [{ conversation: 'x', marksTaken: 3, marksRevision: 3 }],
    });
    await caughtUp.promise;
    reader.push([{ ...mark, marksRevision: 0 }]);
    while (told.length === 0) await new Promise(setImmediate);
    assert.deepEqual(told, [mark]);
  });

  it('gives up a read that is under way when it is closed', async () => {
    const aborted = Promise.withResolvers<void>();
    const waits = (signal: AbortSignal | undefined) => {
      signal?.addEventListener('abort', () => aborted.resolve());
      return new Promise<never>(() => {});
    };
    const reader = new StateReader(
      ME,
      {
        stateAfter: (_user, _revision, signal) => waits(signal),
        marksAfter: (_ranges, signal) => waits(signal),
      },
      { writeMarks: () => true, stateCaughtUp() {}, failed() {} },
    );
    reader.start({ taken: 0, revision: 1, conversations: [] });
    reader.close();
    await aborted.promise;
  });
});
