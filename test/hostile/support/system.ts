import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../../scripts/free-ports.ts';

export interface HostileSystem extends AsyncDisposable {
  url: string;
  /** Heap and external memory after a collection, bytes. */
  bytes(): Promise<number>;
  /** The sum of a metric over its labels. */
  metric(name: string): Promise<number>;
  /** What it has printed as errors. */
  errors(): string;
}

/** Shorter than those of production, so that what they bound is seen in a test. */
const SHORT_LIMITS = { undecidedMs: 1_500, bodyMs: 1_500, answerMs: 1_500, reflectionMs: 1_500 };

/** The whole system in a process of its own. */
export async function startHostileSystem(): Promise<HostileSystem> {
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-hostile-'));
  const [adminPort = 0] = await freePorts(1);
  const child = fork(join(import.meta.dirname, 'server.ts'), {
    env: {
      ...process.env,
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: dataDir,
      CHATTERBOX_ADMIN_PORT: String(adminPort),
      CHATTERBOX_LOG_LEVEL: 'error',
      HOSTILE_LIMITS: JSON.stringify(SHORT_LIMITS),
    },
    execArgv: ['--trace-warnings'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errors = '';
  child.stderr?.on('data', (text) => {
    errors += text;
  });
  const { url } = await answer<{ url: string }>(child);
  return {
    url,
    errors: () => errors,
    async bytes() {
      child.send({});
      return (await answer<{ bytes: number }>(child)).bytes;
    },
    async metric(name) {
      // A connection of its own: a kept one may be closed while it is taken.
      const answered = await fetch(`http://127.0.0.1:${adminPort}/metrics`, {
        headers: { connection: 'close' },
      });
      const text = await answered.text();
      const lines = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'));
      return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const done = new AbortController();
  const ended = once(child, 'exit', { signal: done.signal }).then(([code]) => {
    throw new Error(`the server ended with ${code}`);
  });
  ended.catch(() => {});
  try {
    const [message] = await Promise.race([once(child, 'message', { signal: done.signal }), ended]);
    return message as T;
  } finally {
    done.abort();
  }
}
