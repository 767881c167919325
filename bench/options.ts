import { parseArgs } from 'node:util';
import type { Through } from './processes/server.ts';
import type { Sizes, Store } from './workloads/bench.ts';

export interface Options {
  kind: 'full' | 'part' | 'quick' | 'smoke';
  only: string[];
  stores: Store[];
  through: Through | undefined;
  sizes: Sizes;
  hasFloors: boolean;
  json: string | undefined;
  compare: string | undefined;
  /** How often each checkout is measured when two are compared. */
  rounds: number;
}

export const USAGE = `npm run bench -- [options]
  (none)                  the whole table, at most 60 minutes; with TEST_MYSQL_URL on MariaDB too
  --quick                 at most 60 seconds: too short to quote
  --smoke                 everything once and small: whether it works, not how fast
  --only NAME[,NAME...]   workloads whose names begin so; "soak", "large" and "hostile" are only run like this
  --store URL             sqlite: or mysql://user:password@host:port (each run gets a database of its own)
  --through gateway|direct
  --seconds N             of each load
  --json FILE             where results go; default: bench/results
  --compare REF [--rounds N]   this checkout and another one alternately
  --no-floors`;

/** Nothing is begun after that. */
const BUDGET_SECONDS = { full: 3_300, part: 3_600, quick: 56, smoke: 600 };

/** @throws Error in the user's words. */
export function readOptions(args: string[], env: NodeJS.ProcessEnv): Options {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      quick: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      store: { type: 'string' },
      through: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      compare: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      floors: { type: 'boolean', default: true },
    },
  });
  const only = values.only.split(',').filter((name) => name !== '');
  const kind = values.smoke ? 'smoke' : values.quick ? 'quick' : only.length > 0 ? 'part' : 'full';
  return {
    kind,
    only,
    stores: stores(values.store, values.smoke || values.quick ? undefined : env.TEST_MYSQL_URL),
    through: through(values.through),
    sizes: { ...sizes(kind), ...(values.seconds === undefined ? {} : { seconds: number(values.seconds) }) },
    hasFloors: values.floors,
    json: values.json,
    compare: values.compare,
    rounds: number(values.rounds),
  };
}

export function budgetSeconds({ kind, sizes }: Options): number {
  return Math.max(BUDGET_SECONDS[kind], sizes.seconds);
}

function sizes(kind: Options['kind']): Sizes {
  if (kind === 'smoke') return { warmUpSeconds: 0.1, seconds: 0.4, isSmoke: true };
  if (kind === 'quick') return { warmUpSeconds: 0.3, seconds: 1.2, isSmoke: false };
  return { warmUpSeconds: 3, seconds: 20, isSmoke: false };
}

function stores(url: string | undefined, mysql: string | undefined): Store[] {
  const sqlite = { name: 'SQLite', url: 'sqlite:' };
  if (url === 'sqlite:') return [sqlite];
  if (url?.startsWith('mysql:')) return [{ name: 'MariaDB', url }];
  if (url !== undefined) throw new Error(`--store ${url}: it is sqlite: or mysql://user:password@host:port`);
  return mysql === undefined ? [sqlite] : [sqlite, { name: 'MariaDB', url: mysql }];
}

function through(value: string | undefined): Through | undefined {
  if (value === undefined || value === 'gateway' || value === 'direct') return value;
  throw new Error(`--through ${value}: it is gateway or direct`);
}

function number(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`"${text}" is not a number above 0`);
  return value;
}
