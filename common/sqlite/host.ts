import { Worker } from 'node:worker_threads';
import { type ErrorOptions, type Reason, ServiceError } from '../errors.ts';

/** A synchronous store: what a port looks like to an adapter that runs in a worker. */
export type Sync<Port> = {
  [K in keyof Port]: Port[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : never;
};

/** The call and its answer on the wire between the threads. */
export interface HostedCall {
  id: number;
  method: string;
  args: unknown[];
}
export type HostedAnswer = { id: number; result: unknown } | { id: number; error: HostedError };
export type HostedError = { reason: Reason; options: ErrorOptions } | { message: string; stack?: string };

/**
 * Runs a synchronous store in a worker thread, so that a slow disk does not hold the event loop, and gives it
 * back with every method asynchronous. Calls run one at a time in the order they were made.
 *
 * `module` exports `open(...args)`, which returns the store: an object whose methods take and return
 * structured-cloneable values, and which has `close()`.
 * A call rejects with what the method threw; after the worker has died every call rejects with UNAVAILABLE.
 */
export async function hostInWorker<Port extends object>(
  module: URL,
  args: unknown[],
): Promise<Port & AsyncDisposable> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { module: module.href, args },
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let dead: Error | undefined;
  let lastId = 0;

  const fail = (error: Error) => {
    dead = error;
    for (const { reject } of waiting.values()) reject(unavailable(error));
    waiting.clear();
  };
  worker.on('error', fail);
  worker.on('exit', () => fail(dead ?? new Error('the store is closed')));
  worker.on('message', (answer: HostedAnswer) => settle(waiting, answer));

  const call = (method: string, callArgs: unknown[]): Promise<unknown> => {
    if (dead) return Promise.reject(unavailable(dead));
    const pending = Promise.withResolvers<unknown>();
    waiting.set(++lastId, pending);
    worker.postMessage({ id: lastId, method, args: callArgs } satisfies HostedCall);
    return pending.promise;
  };
  const close = async () => {
    if (dead) return;
    await call('close', []);
    await worker.terminate();
  };

  try {
    await call('', []);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return new Proxy({} as Port & AsyncDisposable, {
    get(_, name) {
      if (name === Symbol.asyncDispose) return close;
      // A proxy that answers to `then` would be taken for a promise.
      if (typeof name === 'symbol' || name === 'then') return undefined;
      return (...callArgs: unknown[]) => call(name, callArgs);
    },
  });
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
