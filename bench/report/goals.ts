import { type Figures, ratio } from './figures.ts';

/** A figure to reach. */
export interface Goal {
  /** What is measured, as the table says it. */
  what: string;
  unit: '/s' | 'ms' | 's' | 'times';
  /** One of both. */
  atLeast?: number;
  atMost?: number;
  /** The goal moves with the machine: today's floor to that of the machine that the goal was set on. */
  scale?: (figures: Figures) => number | undefined;
  reached: (figures: Figures) => number | undefined;
}

/** What the goals were set on, rows per second: multi-row inserts of 100 rows into MariaDB and SQLite, and frames that grpc-js echoes. */
const MARIADB_INSERTS = 98_000;
const SQLITE_INSERTS = 39_000;
const ECHOED_FRAMES = 54_000;

const mariadb = (figures: Figures) =>
  ratio(figures.rate('store, bare inserts, batches of 100', 'MariaDB', 'floor'), MARIADB_INSERTS);
const sqlite = (figures: Figures) =>
  ratio(figures.rate('store, bare inserts, batches of 100', 'SQLite', 'floor'), SQLITE_INSERTS);
const frames = (figures: Figures) =>
  ratio(figures.rate('streams 20x32, grpc-js echo, 1 in a frame', 'none', 'floor'), ECHOED_FRAMES);

export const GOALS: readonly Goal[] = [
  rate('MariaDB, 20 pairs, 32 in flight', 'pairs 20x32', 'MariaDB', 70_000, mariadb),
  p99('MariaDB, 20 pairs, 32 in flight: p99', 'pairs 20x32', 'MariaDB', 30),
  rate('MariaDB, 20 pairs, 1 in flight', 'pairs 20x1', 'MariaDB', 10_000, mariadb),
  p99('MariaDB, 20 pairs, 1 in flight: p99', 'pairs 20x1', 'MariaDB', 5),
  rate('MariaDB, 1 pair, 1 in flight', 'pairs 1x1', 'MariaDB', 1_800, mariadb),
  {
    what: 'MariaDB, 1 pair, 1 in flight: p50',
    unit: 'ms',
    atMost: 0.6,
    reached: (figures) => figures.p50('pairs 1x1', 'MariaDB'),
  },
  rate('MariaDB, 100 pairs, 1 in flight', 'pairs 100x1', 'MariaDB', 13_000, mariadb),
  p99('MariaDB, 100 pairs, 1 in flight: p99', 'pairs 100x1', 'MariaDB', 16),
  rate('SQLite, 20 pairs, 32 in flight', 'pairs 20x32', 'SQLite', 32_000, sqlite),
  rate('SQLite, 20 pairs, 1 in flight', 'pairs 20x1', 'SQLite', 9_000, sqlite),
  {
    what: 'SQLite, 20 pairs, 32 in flight: event-loop lag p99',
    unit: 'ms',
    atMost: 30,
    reached: (figures) => figures.row('pairs 20x32', 'SQLite')?.lagP99Ms,
  },
  ...(['SQLite', 'MariaDB'] as const).flatMap((store) => goalsOn(store)),
];

function goalsOn(store: string): Goal[] {
  return [
    throughGateway('pairs 20x32', store, 0.9),
    throughGateway('pairs 20x1', store, 0.9),
    throughGateway('unary 100', store, 0.8),
    rate(`${store}, SendMessagesGRPC, 20 pairs, 32 in flight`, 'streams 20x32', store, 18_000, frames),
    times(`${store}, unary SendMessage, 100 clients, to the grpc-js echo`, { atLeast: 0.6 }, (figures) =>
      ratio(figures.rate('unary 100', store), figures.rate('unary 100, grpc-js echo', 'none', 'floor')),
    ),
    times(`${store}, large table to small, time-ordered ids`, { atLeast: 0.8 }, (figures) =>
      ratio(
        figures.rate('large table, time-ordered ids', store),
        figures.rate('small table, time-ordered ids', store),
      ),
    ),
    times(`${store}, large table, random ids to time-ordered`, {}, (figures) =>
      ratio(
        figures.rate('large table, random ids', store),
        figures.rate('large table, time-ordered ids', store),
      ),
    ),
    times(`${store}, RSS of an idle session to a grpc-js stream`, { atMost: 1.25 }, (figures) =>
      ratio(
        figures.named(/KB per stream/, 'idle sessions', store),
        figures.named(/KB per stream/, 'idle streams, grpc-js', 'none', 'floor'),
      ),
    ),
    {
      what: `${store}, 5,000 sessions cut: all caught up`,
      unit: 's',
      atMost: 10,
      reached: (figures) => figures.named(/all caught up/, 'storm', store),
    },
    times(`${store}, 5,000 sessions cut: the others' p99 to normal`, { atMost: 5 }, (figures) =>
      figures.named(/during to before/, 'storm', store),
    ),
    slowest(`${store}, history page of 50, p50 (slowest place)`, 2, /p50/, 'history', store),
    slowest(`${store}, inbox page of 1,000 conversations, p50`, 10, /^page.*p50/, 'inbox', store),
    slowest(`${store}, unread total of 1,000 conversations, p50`, undefined, /^unread/, 'inbox', store),
    rate(`${store}, catch-up of 10,000 entries`, 'catch-up', store, 50_000),
    times(`${store}, message p99 beside logins to alone`, { atMost: 2 }, (figures) =>
      figures.named(/beside to alone/, 'login', store),
    ),
    startUp(`${store}, start with an empty folder`, 1.5, /empty/, store),
    startUp(`${store}, start with 1 M entries`, 3, /with/, store),
    times(`${store}, soak: throughput, last third to first`, { atLeast: 0.9 }, (figures) =>
      figures.named(/throughput/, 'soak 20x4', store),
    ),
  ];
}

function rate(what: string, workload: string, store: string, atLeast: number, scale?: Goal['scale']): Goal {
  const reached = (figures: Figures) => figures.rate(workload, store);
  return { what, unit: '/s', atLeast, ...(scale === undefined ? {} : { scale }), reached };
}

function p99(what: string, workload: string, store: string, atMost: number): Goal {
  return { what, unit: 'ms', atMost, reached: (figures) => figures.p99(workload, store) };
}

function times(what: string, bound: Pick<Goal, 'atLeast' | 'atMost'>, reached: Goal['reached']): Goal {
  return { what, unit: 'times', ...bound, reached };
}

function throughGateway(workload: string, store: string, atLeast: number): Goal {
  return times(`${store}, ${workload}, through the gateway to direct`, { atLeast }, (figures) =>
    ratio(figures.rate(workload, store, 'gateway'), figures.rate(workload, store)),
  );
}

function slowest(
  what: string,
  atMost: number | undefined,
  pattern: RegExp,
  workload: string,
  store: string,
): Goal {
  const reached = (figures: Figures) => {
    const found = figures.all(pattern, workload, store);
    return found.length === 0 ? undefined : Math.max(...found);
  };
  return { what, unit: 'ms', ...(atMost === undefined ? {} : { atMost }), reached };
}

function startUp(what: string, atMost: number, pattern: RegExp, store: string): Goal {
  const reached = (figures: Figures) => {
    const ms = figures.named(pattern, 'start-up', store, 'gateway');
    return ms === undefined ? undefined : ms / 1000;
  };
  return { what, unit: 's', atMost, reached };
}
