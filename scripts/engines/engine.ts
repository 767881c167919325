import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endWithUs } from '../end-with-us.ts';
import { freePorts } from '../free-ports.ts';

/** A real server that Chatterbox runs on as a cluster, without Docker: for development and tests. */
export interface Engine {
  name: string;
  /** The environment variable by which tests find a running one. */
  variable: string;
  /** What to run to have it. */
  howToInstall: string;
  isInstalled(): boolean;
  /** Installs it, with what this machine has (apt, maven, go); quick when it is there. @throws Error when that fails. */
  install(): void;
  /** A new, empty one on a free loopback port, ready to be used. Disposing stops it and removes its data. */
  start(): Promise<RunningEngine>;
}

export interface RunningEngine extends AsyncDisposable {
  /** How to connect, password included. The same after a restart. */
  url: string;
  /** The server's process, for signals; another one after a restart. */
  pid: number;
  /** Ends it, by SIGKILL unless said otherwise; fulfils when it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after that, on the same data and port; fulfils when it is ready. */
  restart(): Promise<void>;
}

export interface ServerOptions {
  name: string;
  /** What connecting to it looks like, given its port. */
  url(port: number): string;
  /** Prepares the new folder, once; the command line that runs the server. */
  prepare(folder: string, port: number): Promise<string[]> | string[];
  /** What it prints when it is ready. Default: it is when it listens. */
  readyWhenPrinted?: string;
}

// Debian keeps servers in /usr/sbin, which is not on everybody's path.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Where what is downloaded stays from one run to the next. */
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'chatterbox');

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 20_000;
const RETRY_MS = 50;

/** Runs a server in a new temporary folder, as its own process group, so that a Ctrl-C reaches only us. */
export async function startServer(options: ServerOptions): Promise<RunningEngine> {
  using cleanup = new DisposableStack();
  const folder = mkdtempSync(join(tmpdir(), `chatterbox-${options.name}-`));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  const command = await options.prepare(folder, port);
  const begin = () => launch(options, command, folder, port);
  let child = await begin();
  const data = cleanup.move();
  return {
    url: options.url(port),
    get pid() {
      return child.pid ?? 0;
    },
    kill: (signal = 'SIGKILL') => end(child, signal),
    async restart() {
      child = await begin();
    },
    async [Symbol.asyncDispose]() {
      // Its data goes too, so there is nothing for it to save.
      await end(child, 'SIGKILL');
      data.dispose();
    },
  };
}

/** Runs a command to its end. @throws Error with what it printed when it fails. */
export function run(command: string, ...args: string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`${[command, ...args].join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`);
}

/** Installs packages of Debian. @throws Error with what was printed when that fails. */
export function aptInstall(...names: string[]): void {
  run('apt-get', 'update', '-qq');
  const install = ['apt-get', 'install', '-qq', '--no-install-recommends', ...names];
  run('env', 'DEBIAN_FRONTEND=noninteractive', ...install);
}

/** Whether there is such a command. */
export function hasCommand(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

async function launch(
  { name, readyWhenPrinted }: ServerOptions,
  [program = '', ...args]: string[],
  folder: string,
  port: number,
): Promise<ChildProcess> {
  const child = spawn(program, args, { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  endWithUs(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output = `${output}${chunk}`.slice(-10_000);
    });
  const isReady = async () => {
    if (readyWhenPrinted === undefined) await listens(port);
    else if (!output.includes(readyWhenPrinted)) throw new Error(output);
  };
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${code}:\n${output}`);
  });
  failed.catch(() => {});
  try {
    await Promise.race([failed, until(isReady, `${name} did not get ready`)]);
  } catch (error) {
    await end(child, 'SIGKILL');
    throw error;
  }
  return child;
}

/** A paused process hears no SIGTERM, hence the SIGCONT, first (MariaDB takes a later one for another request); one that does not end in time is killed. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGCONT');
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await exited;
  clearTimeout(late);
}

async function until(check: () => Promise<void>, complaint: string): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      return await check();
    } catch (cause) {
      if (performance.now() > deadline) throw new Error(complaint, { cause });
      await delay(RETRY_MS);
    }
  }
}

async function listens(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
