import { parentPort, workerData } from 'node:worker_threads';
import { ServiceError } from '../errors.ts';
import type { HostedAnswer, HostedCall, HostedError, HostedStore } from './host.ts';

type Store = Record<string, (...args: unknown[]) => unknown>;

const { module, path } = workerData as HostedStore;
const { open } = (await import(module)) as { open: (path: string) => Store };
let store: Store | undefined;

parentPort?.on('message', ({ id, method, args: callArgs }: HostedCall) => {
  send(answer(id, method, callArgs));
});

/** What cannot be sent fails its own call, and not the thread. */
function send(answer: HostedAnswer): void {
  try {
    parentPort?.postMessage(answer);
  } catch (error) {
    parentPort?.postMessage({ id: answer.id, error: describe(error) } satisfies HostedAnswer);
  }
}

/** The empty method opens the store, so that a failure to open reaches the caller like any other. */
function answer(id: number, method: string, callArgs: unknown[]): HostedAnswer {
  try {
    if (method === '') {
      store = open(path);
      return { id, result: undefined };
    }
    return { id, result: store?.[method]?.(...callArgs) };
  } catch (error) {
    return { id, error: describe(error) };
  }
}

function describe(error: unknown): HostedError {
  if (error instanceof ServiceError) {
    const { reason, message, fields, retryAfterMs, metadata } = error;
    return {
      reason,
      options: { detail: message, fields, metadata, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    };
  }
  if (isDiskTrouble(error))
    return {
      reason: 'UNAVAILABLE',
      options: { detail: 'Storage is not available right now; nothing was saved.', retryAfterMs: 1_000 },
    };
  return error instanceof Error
    ? { message: error.message, stack: error.stack ?? '' }
    : { message: String(error) };
}

/** SQLITE_BUSY, _LOCKED, _NOMEM, _READONLY, _IOERR, _FULL, _CANTOPEN: the machine's trouble, which may pass. */
function isDiskTrouble(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode !== undefined && [5, 6, 7, 8, 10, 13, 14].includes(errcode & 0xff);
}
