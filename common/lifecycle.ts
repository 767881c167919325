import { ConfigError } from './config.ts';
import { FolderInUseError } from './data-folder.ts';
import { CannotOpenError } from './eventually.ts';
import type { Log } from './log.ts';

/** How long a stop may take before what is left is cut. */
export const STOP_DEADLINE_MS = 10_000;

/** What runs until it is disposed of, or cannot go on. */
export interface Running extends AsyncDisposable {
  /** Rejects when something was refused, or is gone, that it cannot be without; else never settles. */
  failed?: Promise<never>;
}

/** A part is gone that only a new process brings back. The message is for the operator. */
export class CannotGoOnError extends Error {
  override readonly name = 'CannotGoOnError';
}

/**
 * Runs a service until SIGTERM or SIGINT, then disposes of it; a second signal ends the process at once, and so
 * does a stop that takes longer than the deadline. A start that fails, or a service that does later, prints why and exits with 1.
 */
export async function runUntilSignal(start: () => Promise<Running>): Promise<void> {
  // A start that waits for something that does not come is bounded by the deadline as well.
  const signalled = signal().then(() => {
    process.stderr.write('Stopping; again to stop at once.\n');
    signal().then(() => process.exit(1));
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
  });
  try {
    const service = await start();
    await (service.failed === undefined ? signalled : Promise.race([signalled, service.failed]));
    await service[Symbol.asyncDispose]();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(1);
  }
}

/** Disposes in reverse order of opening, each within what is left of the deadline; logs what fails and goes on. */
export async function disposeAll(resources: AsyncDisposable[], log: Log): Promise<void> {
  for (const resource of resources.toReversed()) {
    try {
      await resource[Symbol.asyncDispose]();
    } catch (error) {
      log.error({ err: error }, 'could not close');
    }
  }
}

function signal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const received = () => {
    process.off('SIGTERM', received).off('SIGINT', received);
    resolve();
  };
  process.on('SIGTERM', received).on('SIGINT', received);
  return promise;
}

/** What the usual troubles of a start mean to whoever started it. */
const TROUBLES: Record<string, string> = {
  EADDRINUSE: 'the port is in use by another process: stop that one, or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address: check the host',
  ENOTFOUND: 'there is no such host name: check the host',
  EACCES: 'this user may not do that: check the permissions, or choose another port or folder',
  EROFS: 'the folder is read-only: choose another one',
  ENOENT: 'there is no such file or folder',
};

function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof FolderInUseError) return error.message;
  if (error instanceof CannotOpenError) return `Chatterbox cannot start: ${error.message}`;
  if (error instanceof CannotGoOnError) return `Chatterbox cannot go on: ${error.message}`;
  const trouble = TROUBLES[(error as NodeJS.ErrnoException | null)?.code ?? ''];
  if (trouble !== undefined) return `Chatterbox cannot start: ${trouble}. (${String(error)})`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
