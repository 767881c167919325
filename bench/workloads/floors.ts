import { insertRate } from '../floors/inserts.ts';
import { adapterRate, newGround, openStoreOn } from '../floors/store.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

const BATCHES = [1, 10, 100, 512];
const PAIRS = [
  { count: 20, inFlight: 32 },
  { count: 20, inFlight: 1 },
];
const PER_FRAME = [1, 32];
/** A floor is steadier than what stands on it. */
const SHARE_OF_SECONDS = 0.25;

export const FLOORS: Workload[] = [
  { name: 'floor: transport', isQuick: true, isStoreless: true, run: runTransport },
  { name: 'floor: echo streams', isStoreless: true, run: runEchoStreams },
  { name: 'floor: store', isQuick: true, run: runStore },
];

/** Our transport without a store. On SQLite, of which it uses nothing. */
async function runTransport(bench: Bench): Promise<void> {
  for (const { count, inFlight } of PAIRS.slice(0, bench.size(PAIRS.length, 1))) {
    await using server = await bench.server({ program: 'transport', store: 'sqlite:' });
    const people = server.people(names('p', 2 * count), 'direct');
    const params = { people, inFlight, bodyBytes: BODY_BYTES, ...bench.sizes };
    const workload = `pairs ${count}x${inFlight}, no store`;
    await bench.measure({ workload, store: 'none', through: 'floor', load: 'pairs', params, server });
  }
}

async function runEchoStreams(bench: Bench): Promise<void> {
  for (const perFrame of PER_FRAME.slice(0, bench.size(PER_FRAME.length, 1))) {
    await using server = await bench.server({ program: 'echo', store: 'sqlite:' });
    const people = server.people(names('p', 20), 'direct');
    const params = { people, inFlight: 32, perFrame, bodyBytes: BODY_BYTES, ...bench.sizes };
    const workload = `streams 20x32, grpc-js echo, ${perFrame} in a frame`;
    await bench.measure({ workload, store: 'none', through: 'floor', load: 'echo streams', params, server });
  }
}

/** The store without a transport: through our adapter, and the engine's own multi-row inserts. */
async function runStore(bench: Bench): Promise<void> {
  const seconds = Math.max(0.5, bench.sizes.seconds * SHARE_OF_SECONDS);
  await using ground = await newGround(bench.store.url);
  await using store = await openStoreOn(ground);
  for (const batch of BATCHES.slice(0, bench.size(BATCHES.length, 2))) {
    for (const [kind, measure] of [
      ['our adapter', () => adapterRate(store, batch, BODY_BYTES, seconds)],
      ['bare inserts', () => insertRate(ground, batch, BODY_BYTES, seconds)],
    ] as const) {
      const row = {
        workload: `store, ${kind}, batches of ${batch}`,
        store: bench.store.name,
        through: 'floor',
      } as const;
      bench.doing(row.workload);
      bench.record({ ...row, rate: await measure() });
    }
  }
}
