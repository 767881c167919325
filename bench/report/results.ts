import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Row } from './row.ts';

/** What a run leaves behind. */
export interface Results {
  /** ISO 8601. */
  date: string;
  /** `quick` and `smoke` are too short to quote. */
  kind: 'full' | 'part' | 'quick' | 'smoke';
  commit: string;
  machine: Machine;
  /** Of each load, after its warm-up. */
  seconds: number;
  bodyBytes: number;
  rows: Row[];
}

export interface Machine {
  cores: number;
  cpu: string;
  memoryGb: number;
  kernel: string;
  node: string;
  database?: string;
}

export const RESULTS = join(import.meta.dirname, '../results');

export function machine(database?: string): Machine {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    ...(database === undefined ? {} : { database }),
  };
}

/** Returns where it is. Default: by day and kind, and by time where it is only a part, in bench/results. */
export function save(results: Results, path?: string): string {
  const { date, kind } = results;
  const when = kind === 'part' ? date.slice(0, 16).replace(':', '-') : date.slice(0, 10);
  const file = path ?? join(RESULTS, `${when}-${kind}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
  return file;
}
