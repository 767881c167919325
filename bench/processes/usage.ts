import { readFileSync } from 'node:fs';

/** What is looked at, each by the ids of its processes. */
export type Pids = Record<string, readonly number[]>;

export interface Usage {
  /** Cores used. */
  cpu: Record<string, number>;
  rssMb: Record<string, number>;
}

/** Begins to watch what processes use; the result tells what they used until it is called, and how much memory they hold then. */
export function watch(pids: Pids): () => Usage {
  const before = each(pids, cpuSeconds);
  const began = performance.now();
  return () => {
    const seconds = (performance.now() - began) / 1000;
    const after = each(pids, cpuSeconds);
    const cpu = Object.fromEntries(
      Object.entries(after).map(([name, used]) => [name, (used - (before[name] ?? 0)) / seconds]),
    );
    return { cpu, rssMb: each(pids, residentMb) };
  };
}

function each(pids: Pids, measure: (pid: number) => number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(pids).map(([name, ids]) => [name, ids.reduce((sum, pid) => sum + measure(pid), 0)]),
  );
}

/** User and system time of a process and its threads, in seconds, from /proc (clock ticks of 10 ms). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function residentMb(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 1e6;
}
