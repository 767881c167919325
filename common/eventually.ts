import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from './errors.ts';
import type { Log } from './log.ts';

export interface EventuallyOptions<T> {
  /** What is waited for, as /readyz and the log name it, such as `MySQL (accounts)`. */
  name: string;
  /** One try. Leaves nothing open when it throws. */
  open(): Promise<T>;
  /** Whether such a failure passes by itself, so that trying again makes sense. */
  mayPass(error: unknown): boolean;
  log: Log;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

/**
 * Something whose engine may not be there yet. Tries to open it, with growing pauses, until it is open, it was refused for good, or it is
 * disposed of. A service listens meanwhile: it gives `standIn(...)` to its core, names `name` in /readyz while not `isOpen`, waits in its
 * start for `firstTry()`, and hands `failed` on to whoever runs it.
 */
export class Eventually<T extends AsyncDisposable> implements AsyncDisposable {
  readonly name: string;
  readonly #options: EventuallyOptions<T>;
  readonly #stop = new AbortController();
  readonly #opened = Promise.withResolvers<T>();
  readonly #tried = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();
  readonly #trying: Promise<void>;
  #value: T | undefined;
  #problem: string | undefined;

  constructor(options: EventuallyOptions<T>) {
    this.name = options.name;
    this.#options = options;
    for (const { promise } of [this.#opened, this.#tried, this.#failed]) promise.catch(() => {});
    this.#trying = this.#tryOnAndOn();
  }

  get isOpen(): boolean {
    return this.#value !== undefined;
  }

  /** Why the last try failed; undefined before that and once it is open. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** What was opened. @throws ServiceError UNAVAILABLE before that. */
  get value(): T {
    if (this.#value === undefined)
      throw new ServiceError('UNAVAILABLE', {
        retryAfterMs: 1_000,
        cause: new Error(`${this.name} is not there: ${this.#problem ?? 'not tried yet'}`),
      });
    return this.#value;
  }

  /** @throws CannotOpenError when it was refused for good; ServiceError UNAVAILABLE when disposed of before it was open. */
  whenOpen(): Promise<T> {
    return this.#opened.promise;
  }

  /** Resolves once it is open or the first try has met trouble that may pass. @throws CannotOpenError when it was refused for good. */
  firstTry(): Promise<void> {
    return this.#tried.promise;
  }

  /** Rejects with CannotOpenError when it was refused for good, however late; else never settles. Nobody has to listen. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  async #tryOnAndOn(): Promise<void> {
    const { open, mayPass, log } = this.#options;
    const { signal } = this.#stop;
    for (let wait = FIRST_WAIT_MS; !signal.aborted; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      try {
        this.#value = await open();
        this.#opened.resolve(this.#value);
        if (this.#problem !== undefined) log.info(`${this.name} is there`);
        this.#problem = undefined;
        return this.#tried.resolve();
      } catch (error) {
        if (!mayPass(error)) return this.#giveUp(new CannotOpenError(this.name, error));
        // One line for each kind of trouble, not for each try.
        const problem = reasonOf(error);
        if (problem !== this.#problem)
          log.warn({ cause: problem }, `${this.name} is not there; waiting for it`);
        this.#problem = problem;
        this.#tried.resolve();
      }
      // Half of the pause is random, so that many nodes do not come back as one.
      await delay(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    }
  }

  #giveUp(error: CannotOpenError): void {
    this.#problem = error.message;
    this.#options.log.fatal(error.message);
    for (const { reject } of [this.#opened, this.#tried, this.#failed]) reject(error);
  }

  /** Waits for a try in flight, and closes what it opened. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#trying;
    const opened = this.#value;
    this.#value = undefined;
    this.#problem ??= 'it is closed';
    this.#tried.resolve();
    this.#opened.reject(new ServiceError('UNAVAILABLE', { cause: new Error(`${this.name} was given up`) }));
    await opened?.[Symbol.asyncDispose]();
  }
}

/**
 * A port that may be used before it is open: every method rejects with UNAVAILABLE until then. For ports all of whose members are methods
 * that return promises.
 */
export function standIn<Port extends object>(late: Eventually<Port & AsyncDisposable>): Port {
  return new Proxy({} as Port, {
    get(_, name) {
      // A proxy that answers to `then` would be taken for a promise.
      if (typeof name === 'symbol' || name === 'then') return undefined;
      return async (...args: unknown[]) => {
        const port = late.value as Record<string, (...args: unknown[]) => unknown>;
        return port[name]?.(...args);
      };
    },
  });
}

/** It does not come by waiting: a wrong password, a newer schema. The message is for whoever runs this. */
export class CannotOpenError extends Error {
  override readonly name = 'CannotOpenError';

  constructor(what: string, cause: unknown) {
    super(`${what} cannot be opened: ${reasonOf(cause)}`, { cause });
  }
}

/** What is at the bottom of it. */
function reasonOf(error: unknown): string {
  let bottom = error;
  while (bottom instanceof Error && bottom.cause !== undefined) bottom = bottom.cause;
  if (!(bottom instanceof Error)) return String(bottom);
  // A refused connection has several addresses behind it, and no message of its own.
  const { code } = bottom as { code?: unknown };
  return bottom.message || (typeof code === 'string' ? code : bottom.name);
}
