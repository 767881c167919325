import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedOverrides, startEmbedded } from '../../scripts/embedded.ts';

export interface System extends AsyncDisposable {
  url: string;
  /** Stops it and starts it again on the same data, at another url. */
  restart(): Promise<void>;
}

const QUIET = { HOST: '127.0.0.1', PORT: '0', CHATTERBOX_LOG_LEVEL: 'fatal' };

/** The whole system in this process, on a free port and a new data folder. */
export async function startSystem(
  env: Record<string, string> = {},
  overrides: EmbeddedOverrides = {},
): Promise<System> {
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  const start = () => startEmbedded({ ...QUIET, DATA_DIR: dataDir, ...env }, overrides);
  let running = await start();
  const system = {
    url: running.url,
    async restart() {
      await running[Symbol.asyncDispose]();
      running = await start();
      system.url = running.url;
    },
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true });
    },
  };
  return system;
}

export interface ServerProcess extends AsyncDisposable {
  url: string;
  pid: number;
  /** What it has printed, both streams. */
  output(): string;
  /** SIGKILL to its whole process group. */
  kill(): Promise<void>;
  /** SIGTERM; fulfils with the exit code. */
  terminate(): Promise<number | null>;
}

/** `npm start` as its own process group, ready when it says so. `command` runs the server; default: as npm does. */
export async function spawnServer(
  env: Record<string, string>,
  command: string[] = [process.execPath, 'scripts/start.ts'],
): Promise<ServerProcess> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...QUIET, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const url = await Promise.race([
    ready(child, () => output),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the server ended with ${code}:\n${output}`);
    }),
  ]);
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const signal = async (name: NodeJS.Signals, pid: number) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, name);
    return (await exited)[0];
  };
  const pid = child.pid ?? 0;
  return {
    url,
    pid,
    output: () => output,
    kill: async () => void (await signal('SIGKILL', -pid)),
    terminate: () => signal('SIGTERM', pid),
    [Symbol.asyncDispose]: async () => void (await signal('SIGKILL', -pid)),
  };
}

async function ready(child: ChildProcess, output: () => string): Promise<string> {
  for (;;) {
    const url = /ready on (http:\S+)/.exec(output())?.[1];
    if (url !== undefined) return url;
    if (child.stdout) await once(child.stdout, 'data');
  }
}
