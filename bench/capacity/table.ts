import { mulberry32 } from '../../userinfo/fixtures/crowd.ts';
import { Figures } from '../report/figures.ts';
import type { Results } from '../report/results.ts';
import type { Row } from '../report/row.ts';
import { rounded, whole } from '../report/table.ts';
import { OPEN_LOADS } from '../workloads/pairs.ts';
import { batchTimeOf } from './fit.ts';
import { closedQueue, openQueue, type QueueResult } from './lane-queue.ts';
import { ASSUMED, bottlenecks, type Costs, costsOf, type Need, needOf } from './model.ts';

const USERS = [1e6, 1e7, 1e8];
const MESSAGES = 200_000;
const CAP = 512;
const PLANNED_STORE = 'MariaDB';

/** The part of docs/performance.md that follows from the figures: the simulation beside the real runs, then the machines. */
export function capacityTable({ rows }: Pick<Results, 'rows'>): string {
  const figures = new Figures(rows);
  const stores = ['SQLite', 'MariaDB']
    .map((store) => simulated(figures, store))
    .filter((text) => text !== '');
  const costs = costsOf(figures, PLANNED_STORE);
  return [...stores, costs === undefined ? '' : machines(costs)].filter((text) => text !== '').join('\n\n');
}

function simulated(figures: Figures, store: string): string {
  const batch = batchTimeOf(figures, store);
  const transportRate = figures.rate('pairs 20x32, no store', 'none', 'floor');
  if (batch === undefined || transportRate === undefined) return '';
  const options = () => ({
    batch,
    cap: CAP,
    transport: 1 / transportRate,
    random: mulberry32(1),
    messages: MESSAGES,
  });
  const pairs = [
    ['pairs 1x1', 1],
    ['pairs 20x1', 20],
    ['pairs 100x1', 100],
    ['pairs 20x32', 640],
  ] as const;
  const lines = [
    ...pairs.map(([name, inFlight]) =>
      lineOf(name, closedQueue(inFlight, options()), figures.row(name, store)),
    ),
    ...OPEN_LOADS.map((perSecond) => {
      const name = `open load, ${perSecond}/s`;
      return lineOf(name, openQueue(perSecond, options()), figures.row(name, store));
    }),
  ];
  const [fixed, each] = [(batch.fixed * 1000).toFixed(2), (batch.each * 1e6).toFixed(1)];
  return `**${store}**: a batch of n takes ${fixed} ms + n × ${each} µs, the event loop ${(1e6 / transportRate).toFixed(1)} µs for each message (both from the floors of the run).

| | simulated /s | measured /s | simulated p50 / p99, ms | measured p50 / p99, ms | simulated batch |
|---|--:|--:|--:|--:|--:|
${lines.join('\n')}`;
}

function lineOf(name: string, { rate, p50, p99, batch }: QueueResult, row: Row | undefined): string {
  const measured = row?.acknowledged;
  const cells = [
    name,
    whole(rate),
    row?.rate === undefined ? '–' : whole(row.rate),
    `${p50.toFixed(2)} / ${p99.toFixed(2)}`,
    measured === undefined ? '–' : `${measured.p50.toFixed(2)} / ${measured.p99.toFixed(2)}`,
    batch.toFixed(1),
  ];
  return `| ${cells.join(' | ')} |`;
}

function machines(costs: Costs): string {
  const needs = USERS.map((users) => needOf(users, costs));
  const us = (seconds: number) => `${rounded(seconds * 1e6)} µs`;
  const row = (name: string, show: (need: Need) => string) => `| ${name} | ${needs.map(show).join(' | ')} |`;
  const { cores, memoryGb, utilisation, copies } = ASSUMED;
  return `**What a piece costs** (${PLANNED_STORE}, one message in flight, where it costs most): a message ${us(costs.message)} of a messenger's core and ${us(costs.database)} of the database's; a delivery ${us(costs.delivery)}; the gateway ${us(costs.gateway)} for a message with its delivery; an idle session ${rounded(costs.session)} KB, messenger and gateway together; an entry ${rounded(costs.entry)} bytes on disk, so that a GB holds ${rounded(1e3 / costs.entry)} M entries. One database took ${whole(costs.databaseRate)} messages/s beside everything else on this machine.

| daily users | ${USERS.map((users) => `${users / 1e6} M`).join(' | ')} |
|---|${USERS.map(() => '--:').join('|')}|
${[
  row('messages/s at the peak', (need) => whole(need.messagesPerSecond)),
  row('deliveries/s at the peak', (need) => whole(need.deliveriesPerSecond)),
  row('sessions', (need) => whole(need.sessions)),
  row('cores busy in messengers', (need) => rounded(need.messengerCores)),
  row('cores busy in gateways', (need) => rounded(need.gatewayCores)),
  row('memory of the sessions, GB', (need) => rounded(need.sessionGb)),
  row(`machines for both, ${cores} cores and ${memoryGb} GB, ${100 * utilisation} % used`, (need) =>
    whole(need.machines),
  ),
  row(`databases (or shards) like this one, ${100 * utilisation} % used`, (need) => whole(need.databases)),
  row(`TB more each year, ${copies} copies`, (need) => rounded(need.terabytesPerYear)),
  row('what runs out first, in units of one', (need) => {
    const [[name, share] = ['', 0]] = bottlenecks(need, costs);
    return `${name}: ${rounded(share)}`;
  }),
].join('\n')}`;
}
