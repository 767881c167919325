import { availableParallelism } from 'node:os';
import { ServiceError } from '#common/errors.ts';

/**
 * Of few cores one is left to the messages: on two of them two parallel hashes made the p99 of a full load
 * 2.4 times as long.
 */
export const HASHES_AT_ONCE = availableParallelism() < 4 ? 1 : 2;

/** A class may fill three quarters of the queue: a quarter is kept for the other one. */
export const QUEUE_LIMITS: QueueLimits = {
  running: HASHES_AT_ONCE,
  waiting: 64,
  perClass: 48,
  perAddress: 16,
  perAccount: 4,
};

const RETRY_AFTER_MS = 2_000;

/**
 * Runs hashes a few at a time. Callers whose address knows the account are one class, strangers the other.
 * The classes are served by turns, within a class the addresses by turns, and the hashes of an address in
 * order. A hash that finds no room displaces the newest of a larger share: at a full address that of the
 * account with the most, else that of the address with the most.
 */
export class HashQueue {
  readonly #limits: QueueLimits;
  readonly #known: WaitingClass = new Map();
  readonly #strangers: WaitingClass = new Map();
  #running = 0;
  #isKnownNext = true;

  constructor(limits: QueueLimits = QUEUE_LIMITS) {
    this.#limits = limits;
  }

  /** How many wait. */
  get waiting(): number {
    return inOrder(this.#known).length + inOrder(this.#strangers).length;
  }

  /** @throws ServiceError OVERLOADED without a place, before `work` begins; and what `work` throws. */
  async run<T>(caller: HashCaller, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.running) this.#running++;
    else await this.#turn(caller);
    try {
      return await work();
    } finally {
      this.#handOn();
    }
  }

  #turn(caller: HashCaller): Promise<void> {
    const waitingClass = this.#classOf(caller);
    this.#makeRoom(waitingClass, caller);
    const { promise, resolve: begin, reject: displace } = Promise.withResolvers<void>();
    const same = waitingClass.get(caller.address) ?? [];
    same.push({ ...caller, begin, displace });
    waitingClass.set(caller.address, same);
    return promise;
  }

  #makeRoom(waitingClass: WaitingClass, caller: HashCaller): void {
    const { waiting, perClass, perAddress, perAccount } = this.#limits;
    const ofClass = inOrder(waitingClass);
    const ofAccount = ofClass.filter(({ account }) => account === caller.account);
    const ofAddress = waitingClass.get(caller.address) ?? [];
    const victims = new Set<Waiting>();
    if (ofAccount.length >= perAccount) victims.add(newestOfLargest(ofAccount, addressShare, caller));
    if (ofAddress.length >= perAddress) victims.add(newestOfLargest(ofAddress, accountShare, caller));
    if (victims.size === 0 && ofClass.length >= perClass)
      victims.add(newestOfLargest(ofClass, addressShare, caller));
    if (victims.size === 0 && this.waiting >= waiting) {
      const all = [...inOrder(this.#known), ...inOrder(this.#strangers)];
      victims.add(newestOfLargest(all, addressShare, caller));
    }
    for (const victim of victims) {
      remove(this.#classOf(victim), victim);
      victim.displace(overloaded());
    }
  }

  #classOf({ isKnown }: HashCaller): WaitingClass {
    return isKnown ? this.#known : this.#strangers;
  }

  /** The place that a finished hash leaves goes to the next one. */
  #handOn(): void {
    const classes = this.#isKnownNext ? [this.#known, this.#strangers] : [this.#strangers, this.#known];
    const next = classes.find(({ size }) => size > 0);
    if (next === undefined) {
      this.#running--;
      return;
    }
    this.#isKnownNext = next === this.#strangers;
    takeFirst(next)?.begin();
  }
}

function inOrder(waitingClass: WaitingClass): Waiting[] {
  return [...waitingClass.values()].flat();
}

/**
 * The newest of the largest share, as `shareOf` names shares.
 * @throws ServiceError OVERLOADED where no share is larger than that of `caller` will be.
 */
function newestOfLargest(candidates: Waiting[], shareOf: ShareOf, caller: HashCaller): Waiting {
  const shares = Map.groupBy(candidates, shareOf);
  const largest = [...shares.values()].reduce((a, b) => (b.length > a.length ? b : a));
  const newest = largest.at(-1);
  const own = shares.get(shareOf(caller))?.length ?? 0;
  if (newest === undefined || largest.length <= own + 1) throw overloaded();
  return newest;
}

/** An address has a share in each class. */
const addressShare: ShareOf = ({ isKnown, address }) => `${isKnown} ${address}`;

const accountShare: ShareOf = ({ account }) => account;

function remove(waitingClass: WaitingClass, victim: Waiting): void {
  const left = waitingClass.get(victim.address)?.filter((waiting) => waiting !== victim) ?? [];
  if (left.length === 0) waitingClass.delete(victim.address);
  else waitingClass.set(victim.address, left);
}

/** Takes the oldest of the address whose turn it is; the address goes to the end. */
function takeFirst(waitingClass: WaitingClass): Waiting | undefined {
  for (const [address, [first, ...rest]] of waitingClass) {
    waitingClass.delete(address);
    if (rest.length > 0) waitingClass.set(address, rest);
    return first;
  }
  return undefined;
}

function overloaded(): ServiceError {
  return new ServiceError('OVERLOADED', { retryAfterMs: RETRY_AFTER_MS });
}

/** For whom a hash is computed. */
export interface HashCaller {
  /** As `addressKey` spells it. */
  address: string;
  account: string;
  /** Whether the address knows the account. */
  isKnown: boolean;
}

export interface QueueLimits {
  running: number;
  /** In both classes together. */
  waiting: number;
  perClass: number;
  /** Within a class. */
  perAddress: number;
  /** Within a class. */
  perAccount: number;
}

type ShareOf = (caller: HashCaller) => string;

/** By address, in the order of their turns. */
type WaitingClass = Map<string, Waiting[]>;

interface Waiting extends HashCaller {
  begin(): void;
  displace(error: ServiceError): void;
}
