import type { Figures } from '../report/figures.ts';

/** What was measured, per piece. */
export interface Costs {
  /** Core-seconds of a messenger to take, commit and acknowledge one message. */
  message: number;
  /** Core-seconds of a messenger to deliver one entry to one session. */
  delivery: number;
  /** Core-seconds of a gateway for one message and its delivery. */
  gateway: number;
  /** Core-seconds of the database for one message. */
  database: number;
  /** Messages per second that one database took. */
  databaseRate: number;
  /** KB of memory, messenger and gateway together. */
  session: number;
  /** Bytes on the database's disk. */
  entry: number;
}

/** What is not measured, but supposed. */
export interface Assumptions {
  /** Messages that a user sends each day. */
  messagesPerDay: number;
  /** Devices that are online and get each message: the other's, and one's own others. */
  fanOut: number;
  /** The busiest second to the average one. */
  peak: number;
  /** Share of the users who are connected at that time. */
  online: number;
  /** Of what a machine has, as much as is planned with. */
  utilisation: number;
  /** Of a machine for messengers and gateways. */
  cores: number;
  memoryGb: number;
  /** Each byte in so many places. */
  copies: number;
}

export const ASSUMED: Assumptions = {
  messagesPerDay: 40,
  fanOut: 1.5,
  peak: 3,
  online: 0.2,
  utilisation: 0.5,
  cores: 8,
  memoryGb: 32,
  copies: 3,
};

/** What so many users need. */
export interface Need {
  users: number;
  messagesPerSecond: number;
  deliveriesPerSecond: number;
  sessions: number;
  messengerCores: number;
  gatewayCores: number;
  sessionGb: number;
  /** For messengers and gateways, by cores or by memory, whichever needs more. */
  machines: number;
  /** Servers, or shards, of the size that was measured. */
  databases: number;
  terabytesPerYear: number;
}

const KB_PER_GB = 1e6;
const SECONDS_PER_DAY = 86_400;

/** Undefined where something of it was not measured. Taken at one message in flight, where a message costs most. */
export function costsOf(figures: Figures, store: string): Costs | undefined {
  const direct = figures.row('pairs 20x1', store);
  const through = figures.row('pairs 20x1', store, 'gateway');
  const catchUp = figures.row('catch-up', store);
  const databaseRate = figures.rate('pairs 20x32', store);
  const session = figures.named(/KB per stream/, 'idle sessions', store, 'gateway');
  const entry = figures.named(/bytes on disk/, 'start-up', store, 'gateway');
  const perMessage = (row = direct, name = 'server') =>
    (row?.cpu?.[name] ?? Number.NaN) / (row?.rate ?? Number.NaN);
  const delivery = perMessage(catchUp);
  const costs = {
    message: Math.max(0, perMessage() - delivery),
    delivery,
    gateway: Math.max(0, perMessage(through) - perMessage()),
    database: perMessage(direct, 'database'),
    databaseRate: databaseRate ?? Number.NaN,
    session: session ?? Number.NaN,
    entry: entry ?? Number.NaN,
  };
  const isWhole = through !== undefined && Object.values(costs).every((value) => Number.isFinite(value));
  return isWhole ? costs : undefined;
}

export function needOf(users: number, costs: Costs, assumed: Assumptions = ASSUMED): Need {
  const messagesPerSecond = (users * assumed.messagesPerDay * assumed.peak) / SECONDS_PER_DAY;
  const deliveriesPerSecond = messagesPerSecond * assumed.fanOut;
  const sessions = users * assumed.online;
  const messengerCores = messagesPerSecond * costs.message + deliveriesPerSecond * costs.delivery;
  const gatewayCores = (messagesPerSecond * costs.gateway * (1 + assumed.fanOut)) / 2;
  const sessionGb = (sessions * costs.session) / KB_PER_GB;
  const planned = (units: number, ofOne: number) => Math.ceil(units / (ofOne * assumed.utilisation));
  return {
    users,
    messagesPerSecond,
    deliveriesPerSecond,
    sessions,
    messengerCores,
    gatewayCores,
    sessionGb,
    machines: Math.max(
      planned(messengerCores + gatewayCores, assumed.cores),
      planned(sessionGb, assumed.memoryGb),
    ),
    databases: planned(messagesPerSecond, costs.databaseRate),
    terabytesPerYear: (users * assumed.messagesPerDay * 365 * costs.entry * assumed.copies) / 1e12,
  };
}

/** What one unit of each would be filled by, the fullest first: what runs out first as users come. */
export function bottlenecks(need: Need, costs: Costs, assumed: Assumptions = ASSUMED): [string, number][] {
  const { cores, memoryGb, utilisation } = assumed;
  const shares: [string, number][] = [
    ['the database’s commits', need.messagesPerSecond / costs.databaseRate / utilisation],
    ['one messenger process', need.messengerCores / utilisation],
    ['one gateway process', need.gatewayCores / utilisation],
    ['the cores of one machine', (need.messengerCores + need.gatewayCores) / cores / utilisation],
    ['the memory of one machine', need.sessionGb / memoryGb / utilisation],
    ['64 TB in one table after a year', need.terabytesPerYear / assumed.copies / 64],
  ];
  return shares.sort(([, a], [, b]) => b - a);
}
