import { type Figures, ratio } from './figures.ts';

/** A figure to reach. */
export interface Goal {
  /** What is measured, as the table says it. */
  what: string;
  unit: '/s' | 'ms' | 's' | 'times';
  /** One of both. */
  atLeast?: number;
  atMost?: number;
  /** The goal moves with the machine: how fast today's is to the one that the goal was set on. */
  scale?: Scale;
  reached: (figures: Figures) => number | undefined;
}

type Scale = (figures: Figures) => number | undefined;

/** Without either the figure is only stated. */
type Bound = Pick<Goal, 'atLeast' | 'atMost'>;

/** Of the machine that the goals were set on, per second: frames of so many messages that grpc-js echoed, and rows inserted in batches. */
const ECHOED = { 1: 54_000, 32: 450_000 };
const INSERTED = {
  MariaDB: { 1: 5_600, 10: 36_000, 100: 98_000 },
  SQLite: { 100: 39_000 },
};

/**
 * The goals come from a sketch of the system whose messages took a part of their time in the transport (its rate with a store to that
 * without one) and the rest in the store. Each part moves with its own floor: the frames and the batches that such a load makes.
 */
const burst = scaled('MariaDB', { inTransport: 88 / 527, perFrame: 32, batch: 100 });
const single = scaled('MariaDB', { inTransport: 11.5 / 39, perFrame: 1, batch: 10 });
const alone = scaled('MariaDB', { inTransport: 11.5 / 39, perFrame: 1, batch: 1 });
const crowd = scaled('MariaDB', { inTransport: 11.5 / 39, perFrame: 1, batch: 100 });
const burstOnSqlite = scaled('SQLite', { inTransport: 40 / 527, perFrame: 32, batch: 100 });
const singleOnSqlite = scaled('SQLite', { inTransport: 12 / 39, perFrame: 1, batch: 100 });
const frames: Scale = (figures) => echoed(figures, 1);

export const GOALS: readonly Goal[] = [
  rate('MariaDB, 20 pairs, 32 in flight', 'pairs 20x32', 'MariaDB', 70_000, burst),
  p99('MariaDB, 20 pairs, 32 in flight: p99', 'pairs 20x32', 'MariaDB', 30, burst),
  rate('MariaDB, 20 pairs, 1 in flight', 'pairs 20x1', 'MariaDB', 10_000, single),
  p99('MariaDB, 20 pairs, 1 in flight: p99', 'pairs 20x1', 'MariaDB', 5, single),
  rate('MariaDB, 1 pair, 1 in flight', 'pairs 1x1', 'MariaDB', 1_800, alone),
  {
    what: 'MariaDB, 1 pair, 1 in flight: p50',
    unit: 'ms',
    atMost: 0.6,
    scale: alone,
    reached: (figures) => figures.p50('pairs 1x1', 'MariaDB'),
  },
  rate('MariaDB, 100 pairs, 1 in flight', 'pairs 100x1', 'MariaDB', 13_000, crowd),
  p99('MariaDB, 100 pairs, 1 in flight: p99', 'pairs 100x1', 'MariaDB', 16, crowd),
  rate('SQLite, 20 pairs, 32 in flight', 'pairs 20x32', 'SQLite', 32_000, burstOnSqlite),
  rate('SQLite, 20 pairs, 1 in flight', 'pairs 20x1', 'SQLite', 9_000, singleOnSqlite),
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
    slowest(`${store}, unread total of 1,000 conversations, p50`, 10, /^unread/, 'inbox', store),
    rate(`${store}, catch-up of 10,000 entries`, 'catch-up', store, 50_000),
    times(`${store}, message p99 beside logins to alone`, { atMost: 2 }, (figures) =>
      figures.named(/beside to alone/, 'login', store),
    ),
    startUp(`${store}, start with an empty folder`, 1.5, /empty/, store),
    startUp(`${store}, start with 1 M entries`, 3, /with/, store),
    soak('throughput, last third to first', { atLeast: 0.9 }, /^throughput/, store),
    soak('RSS after a full collection, end to beginning', { atMost: 1.1 }, /^RSS after/, store),
    soak('handles, last third to first', { atMost: 1.1 }, /^handles/, store),
    soak('event-loop lag p99, last third to first', {}, /^lag/, store),
  ];
}

function scaled<Name extends keyof typeof INSERTED>(
  store: Name,
  of: { inTransport: number; perFrame: keyof typeof ECHOED; batch: keyof (typeof INSERTED)[Name] & number },
): Scale {
  return (figures) => {
    const echo = echoed(figures, of.perFrame);
    const rows = figures.rate(`store, bare inserts, batches of ${of.batch}`, store, 'floor');
    const inserted = ratio(rows, INSERTED[store][of.batch] as number);
    if (echo === undefined || inserted === undefined) return undefined;
    return 1 / (of.inTransport / echo + (1 - of.inTransport) / inserted);
  };
}

function echoed(figures: Figures, perFrame: keyof typeof ECHOED): number | undefined {
  const today = figures.rate(`streams 20x32, grpc-js echo, ${perFrame} in a frame`, 'none', 'floor');
  return ratio(today, ECHOED[perFrame]);
}

function rate(what: string, workload: string, store: string, atLeast: number, scale?: Scale): Goal {
  const reached = (figures: Figures) => figures.rate(workload, store);
  return { what, unit: '/s', atLeast, ...(scale === undefined ? {} : { scale }), reached };
}

function p99(what: string, workload: string, store: string, atMost: number, scale: Scale): Goal {
  return { what, unit: 'ms', atMost, scale, reached: (figures) => figures.p99(workload, store) };
}

function times(what: string, bound: Bound, reached: Goal['reached']): Goal {
  return { what, unit: 'times', ...bound, reached };
}

function soak(what: string, bound: Bound, pattern: RegExp, store: string): Goal {
  return times(`${store}, soak: ${what}`, bound, (figures) => figures.named(pattern, 'soak 20x4', store));
}

function throughGateway(workload: string, store: string, atLeast: number): Goal {
  return times(`${store}, ${workload}, through the gateway to direct`, { atLeast }, (figures) =>
    ratio(figures.rate(workload, store, 'gateway'), figures.rate(workload, store)),
  );
}

function slowest(what: string, atMost: number, pattern: RegExp, workload: string, store: string): Goal {
  const reached = (figures: Figures) => {
    const found = figures.all(pattern, workload, store);
    return found.length === 0 ? undefined : Math.max(...found);
  };
  return { what, unit: 'ms', atMost, reached };
}

function startUp(what: string, atMost: number, pattern: RegExp, store: string): Goal {
  const reached = (figures: Figures) => {
    const ms = figures.named(pattern, 'start-up', store, 'gateway');
    return ms === undefined ? undefined : ms / 1000;
  };
  return { what, unit: 's', atMost, reached };
}
