import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

const STOP_MS = 15_000;

/** Aborted when whoever started the bench wants it to end: then every wait below ends, and what was started is stopped. */
export const interruption = new AbortController();

/** A process of the bench's own, which ends with it. (grpc-js sets timers in the past when the loop was late, and Node warns of that.) */
export function start(file: URL | string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const execArgv = ['--disable-warning=TimeoutNegativeWarning'];
  const child = fork(file, args, { env, execArgv, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  child.stderr?.on('data', (text) => {
    if (!String(text).startsWith('Stopping;')) process.stderr.write(text);
  });
  return child;
}

/** The next message of a child. @throws Error when it ends first, or says nothing in time. */
export async function hear<T>(child: ChildProcess, withinMs: number): Promise<T> {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, interruption.signal]);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`no answer within ${Math.round(withinMs / 1000)} s`)),
    withinMs,
  );
  const ended = once(child, 'exit', { signal }).then(([code, how]) => {
    throw new Error(`the process ended with ${code ?? how}`);
  });
  ended.catch(() => {});
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), ended, late.promise]);
    return message as T;
  } finally {
    clearTimeout(timer);
    done.abort();
  }
}

/** Ends a child, by SIGKILL where it does not follow. Without a signal it is let go: it ends by itself when its IPC channel closes. */
export async function stop(child: ChildProcess, signal?: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  if (signal !== undefined) child.kill(signal);
  else if (child.connected) child.disconnect();
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(late);
}
