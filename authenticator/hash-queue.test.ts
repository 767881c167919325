import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, it } from 'mocha';
import type { ServiceError } from '#common/errors.ts';
import { hold } from './fixtures/held-queue.ts';
import { PASSWORD, World } from './fixtures/world.ts';
import { type HashCaller, HashQueue, QUEUE_LIMITS } from './hash-queue.ts';
import { PasswordHasher } from './passwords.ts';

/** For what is counted here, hashes need not cost anything. */
const CHEAP = { memory: 8, passes: 1, parallelism: 1, tagLength: 32 };
const HOME = '192.0.2.1';
const ELSEWHERE = '192.0.2.99';

describe('the queue of hashes', () => {
  let world: World;
  let queue: HashQueue;
  afterEach(() => world[Symbol.asyncDispose]());

  async function start(): Promise<void> {
    queue = new HashQueue();
    world = await World.start({ hasher: new PasswordHasher(CHEAP, queue) });
  }

  /** Logins with the right password, `times` of each account. */
  function attack(accounts: string[], times: number, addressOf: (account: number) => string) {
    const answers = accounts.flatMap((account, i) =>
      Array.from({ length: times }, () => world.login(account, PASSWORD, addressOf(i))),
    );
    const attacking = { count: answers.length, refused: 0, statuses: statuses(answers) };
    for (const answer of answers)
      answer.then(({ status }) => {
        if (status === 503) attacking.refused++;
      });
    return attacking;
  }

  const register = async (username: string, from: string) => {
    const answer = await world.call('POST', '/auth/register', {
      body: { username, password: PASSWORD },
      from,
    });
    assert.equal(answer.status, 201);
  };
  const waitFor = async (isSo: () => boolean) => {
    while (!isSo()) await turn();
  };

  it('lets innocents in at a known and at a new address while one address logs in to 20 accounts', async () => {
    await start();
    const accounts = Array.from({ length: 20 }, (_, i) => `attacker${i}`);
    for (const account of accounts) await register(account, '198.51.100.1');
    await register('ada', HOME);
    const release = hold(queue);
    const known = attack(accounts, 4, () => '198.51.100.1');
    const strangers = attack(accounts, 2, () => '198.51.100.2');
    const { perAddress } = QUEUE_LIMITS;
    await waitFor(() => known.refused + strangers.refused === known.count + strangers.count - 2 * perAddress);
    assert.equal(queue.waiting, 2 * perAddress);
    const innocents = [world.login('ada', PASSWORD, HOME), world.login('ada', PASSWORD, ELSEWHERE)];
    await waitFor(() => queue.waiting === 2 * perAddress + 2);
    await release();
    assert.deepEqual(await statuses(innocents), [200, 200]);
    for (const { statuses } of [known, strangers])
      assert.equal((await statuses).filter((status) => status === 200).length, perAddress);
  });

  it('lets innocents in at a known and at a new address while 30 addresses fill both classes', async () => {
    await start();
    const accounts = Array.from({ length: 30 }, (_, i) => `attacker${i}`);
    for (const [i, account] of accounts.entries()) await register(account, `198.51.100.${i}`);
    await register('ada', HOME);
    const release = hold(queue);
    const known = attack(accounts, 3, (i) => `198.51.100.${i}`);
    const strangers = attack(accounts, 3, (i) => `203.0.113.${i}`);
    const { waiting } = QUEUE_LIMITS;
    await waitFor(() => known.refused + strangers.refused === known.count + strangers.count - waiting);
    assert.equal(queue.waiting, waiting);
    const innocents = [world.login('ada', PASSWORD, HOME), world.login('ada', PASSWORD, ELSEWHERE)];
    await waitFor(() => known.refused + strangers.refused === known.count + strangers.count - waiting + 2);
    await release();
    assert.deepEqual(await statuses(innocents), [200, 200]);
  });

  it('lets the owner in at a known address while strangers fill the share of the account', async () => {
    await start();
    await register('ada', HOME);
    const release = hold(queue);
    const guesses = Array.from({ length: 8 }, (_, i) => world.login('ada', 'a guess', `198.51.100.${i}`));
    const answered: number[] = [];
    for (const guess of guesses) guess.then(({ status }) => answered.push(status));
    await waitFor(() => answered.length === 8 - QUEUE_LIMITS.perAccount);
    assert.deepEqual(new Set(answered), new Set([503]));
    const owner = world.login('ada', PASSWORD, HOME);
    await waitFor(() => queue.waiting === QUEUE_LIMITS.perAccount + 1);
    await release();
    assert.equal((await owner).status, 200);
    await Promise.all(guesses);
  });

  it('counts an IPv6 network of 64 bits as one address', async () => {
    await start();
    const accounts = Array.from({ length: 20 }, (_, i) => `user${i}`);
    const release = hold(queue);
    const attacking = attack(accounts, 1, (i) => `2001:db8:1:2::${i + 1}`);
    await waitFor(() => attacking.refused === accounts.length - QUEUE_LIMITS.perAddress);
    const neighbour = world.login('ada', PASSWORD, '2001:db8:1:3::1');
    await waitFor(() => queue.waiting === QUEUE_LIMITS.perAddress + 1);
    await release();
    assert.equal((await neighbour).status, 401);
    await attacking.statuses;
  });

  it('lets a registration and a password change take part', async () => {
    await start();
    const { access_token: token } = await world.register('ada');
    const release = hold(queue);
    const body = { username: 'bob', password: PASSWORD };
    const registration = world.call('POST', '/auth/register', { body });
    const change = world.call('POST', '/auth/password', {
      token,
      body: { current: PASSWORD, new: 'another long one' },
    });
    await waitFor(() => queue.waiting === 2);
    await release();
    assert.deepEqual(await statuses([registration, change]), [201, 204]);
  });
});

describe('a queue of hashes, whatever is asked of it', () => {
  it('keeps its bounds, answers all, and serves no address twice while another waits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 120, size: 'max' }), async (steps) => {
        const model = new Model();
        for (const one of steps) await model.take(one);
        await model.finishAll();
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

const SMALL = { running: 2, waiting: 12, perClass: 9, perAddress: 4, perAccount: 2 };

type Step = 'finish' | HashCaller;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Step>('finish') },
  {
    weight: 3,
    arbitrary: fc.record({
      address: fc.constantFrom(...'aaaabbcdefghijkl'),
      account: fc.integer({ min: 0, max: 9 }).map(String),
      isKnown: fc.boolean(),
    }),
  },
);

/** A queue whose hashes end when the model says so, and what must be true of it after each step. */
class Model {
  readonly #queue = new HashQueue(SMALL);
  readonly #jobs: Job[] = [];
  #lastClass: boolean | undefined;
  readonly #wrong: unknown[] = [];

  async take(one: Step): Promise<void> {
    const newcomer = one === 'finish' ? undefined : one;
    const before = newcomer && this.#ofClass(newcomer.isKnown);
    if (newcomer === undefined) this.#in('running')[0]?.finish();
    else this.#ask(newcomer);
    // What the queue begins or refuses, it does in this turn of the loop.
    await turn();
    if (newcomer && before && this.#jobs.at(-1)?.state === 'refused') assertMayRefuse(newcomer, before);
    assert.deepEqual(this.#wrong, []);
    this.#assertBounds();
  }

  async finishAll(): Promise<void> {
    while (this.#in('running').length > 0) await this.take('finish');
    assert.equal(this.#in('finished').length + this.#in('refused').length, this.#jobs.length);
    assert.equal(this.#queue.waiting, 0);
  }

  #ask(caller: HashCaller): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const job: Job = { ...caller, state: 'waiting', finish: resolve, overtakenBy: new Set() };
    this.#jobs.push(job);
    let hasWaited = false;
    const finished = () => {
      job.state = 'finished';
    };
    const refused = (error: ServiceError) => {
      job.state = 'refused';
      if (error.reason !== 'OVERLOADED' || !error.retryAfterMs) throw error;
    };
    const work = () => {
      if (hasWaited) this.#assertTurn(job);
      job.state = 'running';
      return promise;
    };
    this.#queue
      .run(caller, work)
      .then(finished, refused)
      .catch((error: unknown) => this.#wrong.push(error));
    hasWaited = true;
  }

  /** Neither an address nor a class is served twice while another waits. */
  #assertTurn(job: Job): void {
    if (this.#ofClass(!job.isKnown).length > 0) assert.notEqual(this.#lastClass, job.isKnown);
    this.#lastClass = job.isKnown;
    for (const other of this.#ofClass(job.isKnown)) {
      if (other.address === job.address) other.overtakenBy.clear();
      else
        assert.ok(!other.overtakenBy.has(job.address), `${job.address} came before ${other.address} twice`);
      other.overtakenBy.add(job.address);
    }
  }

  #assertBounds(): void {
    assert.equal(this.#queue.waiting, this.#in('waiting').length);
    assert.ok(this.#queue.waiting <= SMALL.waiting);
    assert.ok(this.#in('running').length <= SMALL.running);
    if (this.#queue.waiting > 0) assert.equal(this.#in('running').length, SMALL.running);
    for (const waiting of [this.#ofClass(true), this.#ofClass(false)]) {
      assert.ok(waiting.length <= SMALL.perClass);
      assert.ok(largestShare(waiting, 'address') <= SMALL.perAddress);
      assert.ok(largestShare(waiting, 'account') <= SMALL.perAccount);
    }
  }

  #ofClass(isKnown: boolean): Job[] {
    return this.#in('waiting').filter((job) => job.isKnown === isKnown);
  }

  #in(state: Job['state']): Job[] {
    return this.#jobs.filter((job) => job.state === state);
  }
}

/** A newcomer without anything that waits is refused only where no address has two that wait. */
function assertMayRefuse({ address, account }: HashCaller, waiting: Job[]): void {
  if (waiting.some((job) => job.address === address || job.account === account)) return;
  assert.ok(largestShare(waiting, 'address') <= 1);
}

function largestShare(jobs: Job[], key: 'address' | 'account'): number {
  return Math.max(0, ...[...Map.groupBy(jobs, (job) => job[key]).values()].map(({ length }) => length));
}

async function statuses(answers: Promise<Response>[]): Promise<number[]> {
  return (await Promise.all(answers)).map(({ status }) => status);
}

interface Job extends HashCaller {
  state: 'waiting' | 'running' | 'finished' | 'refused';
  finish(): void;
  /** The addresses that were served since its own was. */
  overtakenBy: Set<string>;
}
