import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { register } from '../test/outside/http.ts';
import { storeFloor } from './floors/store.ts';
import type { LoadRequest } from './load/report.ts';
import { type Measured, type Program, runLoad, type ServerUnderTest, startServer } from './processes.ts';

/**
 * `npm run bench [-- --quick] [--only NAME] [--seconds N] [--through gateway|direct] [--json FILE]`: measures the system on this
 * machine beside its floors, in the same run, because machines drift: what counts is the ratio.
 */
const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    seconds: { type: 'string' },
    through: { type: 'string' },
    json: { type: 'string' },
  },
});

const BODY_BYTES = 110;
const PEOPLE = 240;

/** `people` from the one numbered `first` on: on the first app's stream somebody who comes anew gets everything that they ever missed. */
type Load = Pick<LoadRequest, 'workload' | 'inFlight'> & { people: number; first?: number };

const LOADS: Record<string, Load> = {
  'pairs 20x32': { workload: 'pairs', people: 40, inFlight: 32 },
  'pairs 20x1': { workload: 'pairs', people: 40, first: 40, inFlight: 1 },
  'pairs 1x1': { workload: 'pairs', people: 2, first: 80, inFlight: 1 },
  'pairs 100x1': { workload: 'pairs', people: 200, inFlight: 1 },
  'streams 20x32': { workload: 'streams', people: 40, first: 200, inFlight: 32 },
  'unary 100': { workload: 'unary', people: 100, first: 82, inFlight: 1 },
};

interface Row {
  name: string;
  messagesPerSecond: number;
  acknowledged?: { p50: number; p99: number };
  delivered?: { p50: number; p99: number };
  cpu?: Measured['cpu'];
  serverRssMb?: number;
}

const seconds = Number(options.seconds ?? (options.quick ? 3 : 20));
const rows: Row[] = [];

const systems: [string, Program, 'gateway' | 'direct'][] = [
  ['through the gateway', 'system', 'gateway'],
  ['direct', 'system', 'direct'],
  ['floor: no store, direct', 'transport', 'direct'],
];
for (const [label, program, through] of systems) {
  if (options.through !== undefined && program === 'system' && through !== options.through) continue;
  await using server = await startServer(program);
  const people = await registerAll(server);
  for (const [name, load] of Object.entries(LOADS)) {
    // Without a store nobody knows where they were: people cannot come back.
    if (program === 'transport' && name === 'pairs 100x1') continue;
    if (isWanted(name)) await measure(`${name}, ${label}`, load, server, people, through);
  }
}
if (isWanted('unary 100')) {
  await using echo = await startServer('echo');
  const people = Array.from({ length: 100 }, (_, i) => ({ username: `p${i}`, token: 'none' }));
  await measure(
    'unary 100, floor: grpc-js echo',
    { ...LOADS['unary 100']!, first: 0 },
    echo,
    people,
    'direct',
  );
}
for (const batch of [1, 100, 512]) {
  if (!isWanted('store')) continue;
  const messagesPerSecond = await storeFloor(batch, BODY_BYTES, seconds);
  report({ name: `store, floor: batches of ${batch}`, messagesPerSecond });
}
finish();

function isWanted(name: string): boolean {
  return options.only === undefined || name.startsWith(options.only);
}

async function registerAll(server: ServerUnderTest): Promise<LoadRequest['people']> {
  const accounts = [];
  for (let i = 0; i < PEOPLE; i += 20) {
    accounts.push(
      ...(await Promise.all(Array.from({ length: 20 }, (_, j) => register(server.url, `p${i + j}`)))),
    );
  }
  return accounts.map(({ username, token }) => ({ username, token }));
}

async function measure(
  name: string,
  { workload, people: count, first = 0, inFlight }: Load,
  server: ServerUnderTest,
  people: LoadRequest['people'],
  through: 'gateway' | 'direct',
): Promise<void> {
  const address = through === 'gateway' ? server.url.replace('http://', '') : server.messenger;
  const request = {
    workload,
    address,
    people: people.slice(first, first + count),
    inFlight,
    bodyBytes: BODY_BYTES,
    seconds,
  };
  const { result, cpu, serverRssMb } = await runLoad(request, server.pid);
  const { messages, seconds: took, acknowledged, delivered } = result;
  report({
    name,
    messagesPerSecond: messages / took,
    acknowledged,
    ...(delivered ? { delivered } : {}),
    cpu,
    serverRssMb,
  });
}

function report(row: Row): void {
  rows.push(row);
  const ms = (p?: { p50: number; p99: number }) => (p ? `${p.p50.toFixed(1)} / ${p.p99.toFixed(1)} ms` : '');
  const cpu = row.cpu ? `server ${row.cpu.server.toFixed(2)}, client ${row.cpu.client.toFixed(2)} cores` : '';
  const rss = row.serverRssMb ? `${Math.round(row.serverRssMb)} MB` : '';
  console.log(
    `${row.name.padEnd(44)} ${Math.round(row.messagesPerSecond).toLocaleString('en').padStart(9)}/s  acked ${ms(row.acknowledged)}  delivered ${ms(row.delivered)}  ${cpu}  ${rss}`,
  );
}

function finish(): void {
  const [cpu] = cpus();
  const machine = {
    cores: cpus().length,
    cpu: cpu?.model,
    memoryGb: Math.round(totalmem() / 1e9),
    node: process.version,
  };
  const kind = options.quick ? 'quick: too short to quote' : 'full';
  console.log(
    `\n${kind}; ${seconds} s each; ${BODY_BYTES}-byte texts; per-user send rates raised; client and server on one machine:`,
  );
  console.log(JSON.stringify(machine));
  if (options.json !== undefined)
    writeFileSync(options.json, JSON.stringify({ machine, kind, seconds, rows }, null, 2));
}
