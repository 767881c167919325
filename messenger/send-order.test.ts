import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import { Lane } from './lane.ts';
import type { Draft, Outcome } from './ports.ts';
import { Sender, type SendRequest } from './send.ts';
import { StreamSends } from './stream-sends.ts';
import { UserRate } from './user-rate.ts';

const FRIENDS = ['bob', 'cleo'];
const RUNS = 200;
const FIRST_CONTACTS = new UserRate({ perSecond: 1, burst: 1_000_000 }, () => 0);

/** What becomes of the next batch: a server that does not answer may have stored it. */
type Luck = 'stored' | 'lost' | 'stored and not answered';

type Step =
  | { kind: 'send'; friend: string; count: number }
  | { kind: 'again' }
  | { kind: 'luck'; next: Luck[] }
  | { kind: 'time'; ms: number }
  | { kind: 'turns'; count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('send' as const),
    friend: fc.constantFrom(...FRIENDS),
    count: fc.integer({ min: 1, max: 40 }),
  }),
  fc.constant<Step>({ kind: 'again' }),
  fc.record({
    kind: fc.constant('luck' as const),
    next: fc.array(fc.constantFrom<Luck>('stored', 'lost', 'stored and not answered'), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ kind: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 20 }) }),
);

/**
 * One stream of Ada's over the real rate, window and lane, and a client that sends again as docs/protocol.md
 * says.
 */
class Model {
  readonly logs = new Map<string, string[]>(FRIENDS.map((friend) => [friend, []]));
  readonly given = new Map<string, string[]>(FRIENDS.map((friend) => [friend, []]));
  readonly unanswered = new Map<string, { friend: string; clientId: string }>();
  readonly #counts: boolean;
  luck: Luck[] = [];
  #attempt = 1;
  #isRefused = false;
  #now = 0;
  #last = 0;
  readonly #sends: StreamSends;

  /** `counts`: whether the client counts its attempts. */
  constructor(counts: boolean) {
    this.#counts = counts;
    const store = { commit: (drafts: Draft[]) => this.#commit(drafts), heads: async () => [] };
    const clocks = { clock: () => 1, steady: () => this.#now };
    const lane = new Lane({ store, ...clocks, onCommitted: () => {} });
    const directory = { exists: async () => true };
    const sender = new Sender({ lane, store, directory, firstContacts: FIRST_CONTACTS, ...clocks });
    const rate = new UserRate({ perSecond: 100, burst: 30 }, () => this.#now);
    this.#sends = new StreamSends('ada', sender, rate, 64, {
      isForEntry: () => true,
      isPast: () => true,
      announce: () => true,
      sent: ({ clientId }) => void this.unanswered.delete(clientId),
      refused: (request, _, error) => this.#refused(request, error),
    });
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'send') await this.#send(step.friend, step.count);
    else if (step.kind === 'again') await this.again();
    else if (step.kind === 'luck') this.luck = [...step.next];
    else if (step.kind === 'time') this.#now += step.ms;
    else for (let i = 0; i < step.count; i++) await turn();
  }

  /** Everything without an answer, in its order, where something was refused. */
  async again(): Promise<void> {
    if (!this.#isRefused) return;
    this.#isRefused = false;
    this.#attempt++;
    for (const { friend, clientId } of [...this.unanswered.values()]) await this.#request(friend, clientId);
  }

  /** From here on nothing goes wrong. */
  async finish(): Promise<void> {
    this.luck = [];
    for (let i = 0; this.unanswered.size > 0; i++) {
      assert.ok(i < 1_000, 'all get through in the end');
      this.#now += 1_000;
      await this.again();
      await this.#sends.empty();
    }
  }

  async #send(friend: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const clientId = `${++this.#last}`;
      this.given.get(friend)?.push(clientId);
      this.unanswered.set(clientId, { friend, clientId });
      await this.#request(friend, clientId);
    }
  }

  async #request(friend: string, clientId: string): Promise<void> {
    const attempt = this.#counts ? this.#attempt : 0;
    const content = { body: clientId, clientTime: 0n };
    await this.#sends.send({ user: '', friend, conversation: '', clientId, ...content, attempt });
  }

  #refused({ attempt }: SendRequest, { code }: ServiceError): void {
    assert.ok(['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'ABORTED'].includes(code), code);
    if (!this.#counts || attempt === this.#attempt) this.#isRefused = true;
  }

  async #commit(drafts: Draft[]): Promise<Outcome[]> {
    const luck = this.luck.shift() ?? 'stored';
    await turn();
    const outcomes = luck === 'lost' ? [] : drafts.map((draft) => this.#append(draft));
    if (luck !== 'stored') throw new ServiceError('UNAVAILABLE');
    return outcomes;
  }

  #append({ members, clientId }: Draft): Outcome {
    const log = this.logs.get(members.find((member) => member !== 'ada') ?? '') ?? [];
    const before = log.indexOf(clientId) + 1;
    if (before > 0) return { kind: 'duplicate', seq: before, sentAt: 1, isSameContent: true };
    const seq = log.push(clientId);
    return { kind: 'committed', seq, sentAt: 1, messagesSoFar: seq };
  }
}

/** Whether each conversation ended up as the client gave it. */
async function isInOrder(steps: Step[], counts: boolean): Promise<boolean> {
  const model = new Model(counts);
  for (const one of steps) await model.take(one);
  await model.finish();
  for (const [friend, log] of model.logs)
    assert.deepEqual(log.toSorted(), model.given.get(friend)?.toSorted(), 'each once');
  return FRIENDS.every((friend) => `${model.logs.get(friend)}` === `${model.given.get(friend)}`);
}

describe('sends of a client that counts its attempts', function () {
  this.timeout(60_000);

  it('are committed in the order in which it gave them, whatever is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) =>
        assert.equal(await isInOrder(steps, true), true),
      ),
      { numRuns: RUNS, seed: 1 },
    );
  });

  it('would overtake each other if it did not', async () => {
    const flood: Step[] = [
      { kind: 'send', friend: 'bob', count: 40 },
      { kind: 'time', ms: 300 },
      { kind: 'send', friend: 'bob', count: 40 },
    ];
    assert.equal(await isInOrder(flood, false), false);
    assert.equal(await isInOrder(flood, true), true);
    const broken: Step[] = [
      { kind: 'luck', next: ['stored', 'lost', 'stored'] },
      ...Array.from({ length: 20 }, (): Step[] => [
        { kind: 'send', friend: 'bob', count: 1 },
        { kind: 'turns', count: 1 },
      ]).flat(),
    ];
    assert.equal(await isInOrder(broken, false), false);
    assert.equal(await isInOrder(broken, true), true);
  });
});
