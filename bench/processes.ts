import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadRequest, LoadResult } from './load/report.ts';

export interface ServerUnderTest extends AsyncDisposable {
  url: string;
  messenger: string;
  pid: number;
}

/** The bench's users are not held back by the send rate. */
const UNLIMITED = { CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '10000000' };

/** What can be measured: the system, the system without its store, and grpc-js alone. */
const PROGRAMS = {
  system: ['./server.ts'],
  transport: ['./server.ts', '--floor'],
  echo: ['./floors/echo.ts'],
} as const;
export type Program = keyof typeof PROGRAMS;

/** Starts it in a process of its own, on a new data folder. */
export async function startServer(program: Program): Promise<ServerUnderTest> {
  const [file, ...args] = PROGRAMS[program];
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  const env = { ...process.env, PORT: '0', DATA_DIR: dataDir, ...UNLIMITED };
  const child = fork(new URL(file, import.meta.url), args, { env });
  const [addresses] = (await once(child, 'message')) as [{ url: string; messenger: string }];
  return {
    ...addresses,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(dataDir, { recursive: true });
    },
  };
}

export interface Measured {
  result: LoadResult;
  /** Cores used by each process. */
  cpu: { server: number; client: number };
  serverRssMb: number;
}

/** Runs one load in a process of its own, and looks at what it and the server use meanwhile. */
export async function runLoad(request: LoadRequest, serverPid: number): Promise<Measured> {
  const child = fork(new URL('./load/generator.ts', import.meta.url));
  const before = { server: cpuSeconds(serverPid), client: cpuSeconds(child.pid ?? 0), at: performance.now() };
  child.send(request);
  const answer = await answerOf(child);
  const seconds = (performance.now() - before.at) / 1000;
  const cpu = {
    server: (cpuSeconds(serverPid) - before.server) / seconds,
    client: (cpuSeconds(child.pid ?? 0) - before.client) / seconds,
  };
  child.kill();
  return { result: answer, cpu, serverRssMb: residentMb(serverPid) };
}

async function answerOf(child: ChildProcess): Promise<LoadResult> {
  const [answer] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [
    { result?: LoadResult; error?: string } | number,
  ];
  if (typeof answer === 'object' && answer.result) return answer.result;
  throw new Error(`the load failed: ${typeof answer === 'object' ? answer.error : `exit ${answer}`}`);
}

/** User and system time of a process and its threads, in seconds, from /proc (clock ticks of 10 ms). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMb(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 1e6;
}
