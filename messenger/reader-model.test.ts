import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Draft, Entry, Head, Range } from './ports.ts';
import { Reader, type Sink } from './reader.ts';
import type { SendAnswer, Sender, SendRequest, Sent } from './send.ts';
import { type StreamAnswers, StreamSends } from './stream-sends.ts';
import { UserRate } from './user-rate.ts';

const CONVERSATIONS = ['x', 'y', 'z'];
const RUNS = 2_000;
const UNLIMITED = new UserRate({ perSecond: 1e9, burst: 1e9 }, () => 0);

/** What may happen, in any order: some of it makes no sense in a state, and is passed over then. */
type Step =
  | { kind: 'commit'; conversation: string; count: number; told: 'pushed' | 'announced' | 'lost' }
  | { kind: 'late push' }
  | { kind: 'read' }
  | { kind: 'resume' }
  | { kind: 'start'; share: number }
  | { kind: 'acknowledge'; conversation: string; share: number }
  | { kind: 'full'; room: number }
  | { kind: 'repair'; conversation: string }
  | { kind: 'send'; conversation: string }
  | { kind: 'answer' };

const share = fc.double({ min: 0, max: 1, noNaN: true });

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('commit' as const),
    conversation: fc.constantFrom(...CONVERSATIONS),
    count: fc.integer({ min: 1, max: 3 }),
    told: fc.constantFrom('pushed' as const, 'announced' as const, 'lost' as const),
  }),
  fc.constantFrom<Step>({ kind: 'late push' }, { kind: 'read' }, { kind: 'resume' }),
  fc.record({ kind: fc.constant('start' as const), share }),
  fc.record({
    kind: fc.constant('acknowledge' as const),
    conversation: fc.constantFrom(...CONVERSATIONS),
    share,
  }),
  fc.record({ kind: fc.constant('full' as const), room: fc.integer({ min: 0, max: 3 }) }),
  fc.record({
    kind: fc.constantFrom('repair' as const, 'send' as const),
    conversation: fc.constantFrom(...CONVERSATIONS),
  }),
  fc.constant<Step>({ kind: 'answer' }),
);

/**
 * A log, a stream that reads it and sends to it, and the device behind it, all of whose reads and commits end
 * when they are told to.
 */
class Model implements Sink, StreamAnswers {
  readonly reader = new Reader({ entries: (ranges, max) => this.#read(ranges, max) }, this);
  readonly log = new Map<string, Entry[]>(CONVERSATIONS.map((conversation) => [conversation, []]));
  /** What the device has got, or acknowledged, without a hole. */
  readonly reached = new Map<string, number>(CONVERSATIONS.map((conversation) => [conversation, 0]));
  /** Where each conversation was at the opening. */
  atOpening: Map<string, number> | undefined;
  readonly #untold: Entry[][] = [];
  readonly #reads: (() => void)[] = [];
  #room = Number.POSITIVE_INFINITY;
  isCaughtUp = false;
  unanswered = 0;
  readonly #commits: (() => void)[] = [];
  readonly #sends = new StreamSends('me', this.#sender(), UNLIMITED, 1_000, this);
  failure: unknown;

  async take(step: Step): Promise<void> {
    if (step.kind === 'commit') this.#commit(step);
    else if (step.kind === 'late push') this.#pushLate();
    else if (step.kind === 'read') this.#reads.shift()?.();
    else if (step.kind === 'resume') this.#resume();
    else if (step.kind === 'start') this.start(step.share);
    else if (step.kind === 'acknowledge') this.#acknowledge(step.conversation, step.share);
    else if (step.kind === 'full') this.#room = step.room;
    else if (step.kind === 'send') this.#send(step.conversation);
    else if (step.kind === 'answer') this.#commits.shift()?.();
    else this.#repair(step.conversation);
    await settle();
  }

  /** `share`: how much of each conversation the device has from before. */
  start(share: number): void {
    if (this.atOpening !== undefined) return;
    const starts = Array.from(this.log, ([conversation, { length }]) => {
      const cursor = Math.ceil(share * length);
      this.reached.set(conversation, cursor);
      return { conversation, lastSeq: length, cursor };
    });
    this.atOpening = new Map(starts.map(({ conversation, lastSeq }) => [conversation, lastSeq]));
    this.reader.start(starts.filter(({ lastSeq }) => lastSeq > 0));
  }

  /** Everything is told of in the end, read, and there is room for it. */
  async finish(): Promise<void> {
    this.start(0);
    for (const commit of this.#commits.splice(0)) commit();
    for (const conversation of CONVERSATIONS) this.#repair(conversation);
    this.#resume();
    do {
      this.#reads.shift()?.();
      await settle();
    } while (this.#reads.length > 0);
  }

  write(entries: Entry[]): boolean {
    for (const { conversation, seq } of entries) {
      assert.equal(seq, (this.reached.get(conversation) ?? 0) + 1, `${conversation}${seq} is the next one`);
      this.reached.set(conversation, seq);
    }
    for (const entry of entries) this.#sends.hasAnswered(entry);
    this.#sends.told(entries);
    this.#room -= entries.length;
    return this.#room > 0;
  }

  caughtUp(): void {
    assert.equal(this.isCaughtUp, false, 'once');
    this.isCaughtUp = true;
    for (const [conversation, lastSeq] of this.atOpening ?? [])
      assert.ok(
        (this.reached.get(conversation) ?? 0) >= lastSeq,
        `${conversation} was written up to ${lastSeq}`,
      );
  }

  failed(error: unknown): void {
    this.failure = error;
  }

  isForEntry(): boolean {
    return true;
  }

  announce(head: Head): boolean {
    return this.reader.announce(head);
  }

  isPast(conversation: string, seq: number): boolean {
    return this.reader.isPast(conversation, seq);
  }

  /** The device may acknowledge it, and takes everything before it for told. */
  sent(_: SendRequest, { conversation, seq }: Sent): void {
    this.unanswered--;
    const reached = this.reached.get(conversation) ?? 0;
    assert.ok(reached >= seq - 1, `${conversation}${seq} is answered, and ${reached} was written`);
  }

  refused(_: SendRequest, __: string, error: Error): void {
    throw error;
  }

  #send(conversation: string): void {
    if (this.atOpening === undefined) return;
    this.unanswered++;
    const content = {
      body: 'x',
      clientTime: 0n,
      attempt: 0,
      clientId: `${this.unanswered} ${this.log.get(conversation)?.length}`,
    };
    this.#sends.send({ user: '', friend: '', conversation, ...content });
  }

  /**
   * Commits what it is given when the test says so; the stream hears of the entry, and then of its answer.
   */
  #sender(): Sender {
    const commit = ({ conversation, clientId }: Draft, answer: SendAnswer) =>
      void this.#commits.push(() => {
        const log = this.log.get(conversation) ?? [];
        const seq = log.length + 1;
        const entry = { conversation, seq, sender: 'me', clientId } as Entry;
        log.push(entry);
        this.reader.push([entry]);
        answer.sent({ conversation, seq, clientId, sentAt: 0, isRetry: false });
      });
    const admit = (_: string, { conversation, clientId }: SendRequest) =>
      ({ conversation, clientId }) as Draft;
    return { admit, commit } as unknown as Sender;
  }

  #commit({ conversation, count, told }: Step & { kind: 'commit' }): void {
    const log = this.log.get(conversation) ?? [];
    const added = Array.from(
      { length: count },
      (_, i) => ({ conversation, seq: log.length + i + 1 }) as Entry,
    );
    log.push(...added);
    if (told === 'announced') this.reader.announce({ conversation, lastSeq: log.length });
    else if (told === 'pushed') this.#untold.push(added);
  }

  #pushLate(): void {
    const entries = this.#untold.shift();
    if (entries !== undefined) this.reader.push(entries);
  }

  #repair(conversation: string): void {
    const lastSeq = this.log.get(conversation)?.length ?? 0;
    if (lastSeq > 0) this.reader.announce({ conversation, lastSeq });
  }

  #resume(): void {
    this.#room = Number.POSITIVE_INFINITY;
    this.reader.resume();
  }

  /** What was written may always be acknowledged; what was not, the device may have from elsewhere. */
  #acknowledge(conversation: string, share: number): void {
    if (this.atOpening === undefined) return;
    const reached = this.reached.get(conversation) ?? 0;
    if (reached > 0) assert.equal(this.reader.skip(conversation, reached), true, `${conversation}${reached}`);
    const seq = Math.ceil(share * (this.log.get(conversation)?.length ?? 0));
    this.reached.set(conversation, Math.max(reached, seq));
    if (seq > 0 && !this.reader.skip(conversation, seq)) this.reached.set(conversation, reached);
    else this.#sends.passed(conversation, seq);
  }

  #read(ranges: Range[], max: number): Promise<Entry[]> {
    return new Promise((resolve) =>
      this.#reads.push(() =>
        resolve(ranges.flatMap((r) => (this.log.get(r.conversation) ?? []).slice(r.after)).slice(0, max)),
      ),
    );
  }
}

/** What is fulfilled goes on as far as it can. */
async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
}

describe('a reader, whatever comes in whatever order', () => {
  it('writes everything once and in order, answers sends in their place, says when it has caught up, and takes every acknowledgement', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const model = new Model();
        for (const one of steps) await model.take(one);
        await model.finish();
        assert.equal(model.failure, undefined);
        assert.ok(model.isCaughtUp);
        assert.equal(model.unanswered, 0);
        for (const [conversation, log] of model.log)
          assert.equal(model.reached.get(conversation), log.length);
      }),
      { numRuns: RUNS, seed: 1 },
    );
  });
});
