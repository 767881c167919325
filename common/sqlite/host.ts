import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorOptions, type Reason, ServiceError } from '../errors.ts';
import { CannotGoOnError } from '../lifecycle.ts';

/** A synchronous store: what a port looks like to an adapter that runs in a worker. */
export type Sync<Port> = {
  [K in keyof Port]: Port[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : never;
};

/** What the worker is to open. */
export interface HostedStore {
  module: string;
  path: string;
}

/** The call and its answer on the wire between the threads. */
export interface HostedCall {
  id: number;
  method: string;
  args: unknown[];
}
export type HostedAnswer = { id: number; result: unknown } | { id: number; error: HostedError };
export type HostedError = { reason: Reason; options: ErrorOptions } | { message: string; stack?: string };

/** A store that runs in a thread of its own. */
export type Hosted<Port> = Port &
  AsyncDisposable & {
    /** Rejects with CannotGoOnError when the thread has died, and not when it was closed; else never settles. */
    readonly failed: Promise<never>;
  };

/**
 * Runs a synchronous store in a worker thread, so that a slow disk does not hold the event loop, and gives it
 * back with every method asynchronous. Calls run one at a time in the order they were made.
 *
 * `module` exports `open(path)`, which returns the store: an object whose methods take and return
 * structured-cloneable values, which has `close()`, and which has no `failed`.
 * A call rejects with what the method threw; after the worker has died every call rejects with UNAVAILABLE.
 * @throws what `open` threw, CannotGoOnError when the thread died of it.
 */
export async function hostInWorker<Port extends object>(module: URL, path: string): Promise<Hosted<Port>> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { module: module.href, path } satisfies HostedStore,
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const death = Promise.withResolvers<never>();
  // Nobody has to listen.
  death.promise.catch(() => {});
  let dead: Error | undefined;
  let isClosing = false;
  let lastId = 0;

  const die = (reason: unknown) => {
    dead ??= reason instanceof Error ? reason : new Error(String(reason));
    for (const { reject } of waiting.values()) reject(unavailable(dead));
    waiting.clear();
    if (!isClosing) death.reject(died(path, dead));
  };
  worker.on('error', die);
  // An answer that cannot be read leaves its call waiting for ever.
  worker.on('messageerror', die);
  worker.on('exit', (code) => die(isClosing ? 'the store is closed' : `it exited with ${code}`));
  worker.on('message', (answer: HostedAnswer) => settle(waiting, answer));

  const call = (method: string, callArgs: unknown[]): Promise<unknown> => {
    if (dead) return Promise.reject(unavailable(dead));
    const pending = Promise.withResolvers<unknown>();
    waiting.set(++lastId, pending);
    worker.postMessage({ id: lastId, method, args: callArgs } satisfies HostedCall);
    return pending.promise;
  };
  const end = async () => {
    isClosing = true;
    await worker.terminate();
  };
  const close = async () => {
    if (dead) return;
    isClosing = true;
    await call('close', []).finally(end);
  };

  try {
    await call('', []);
  } catch (error) {
    const cause = dead;
    await end();
    throw cause === undefined ? error : died(path, cause);
  }
  return new Proxy({} as Hosted<Port>, {
    get(_, name) {
      if (name === Symbol.asyncDispose) return close;
      if (name === 'failed') return death.promise;
      // A proxy that answers to `then` would be taken for a promise.
      if (typeof name === 'symbol' || name === 'then') return undefined;
      return (...callArgs: unknown[]) => call(name, callArgs);
    },
  });
}

function died(path: string, cause: Error): CannotGoOnError {
  const { code } = cause as NodeJS.ErrnoException;
  const reason =
    code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'it ran out of memory' : cause.message || String(cause);
  return new CannotGoOnError(`the thread that keeps ${basename(path)} has died: ${reason}`, { cause });
}

function settle(waiting: Map<number, PromiseWithResolvers<unknown>>, answer: HostedAnswer): void {
  const pending = waiting.get(answer.id);
  waiting.delete(answer.id);
  if (!('error' in answer)) pending?.resolve(answer.result);
  else if ('reason' in answer.error)
    pending?.reject(new ServiceError(answer.error.reason, answer.error.options));
  else pending?.reject(Object.assign(new Error(answer.error.message), { stack: answer.error.stack }));
}

function unavailable(cause: Error): ServiceError {
  return new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause });
}
