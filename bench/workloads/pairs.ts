import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

/** Messages per second. */
export const OPEN_LOADS = [1_000, 4_000];

const FLOORS = ['floor: transport', 'floor: store', 'floor: echo streams'];

export const PAIRS: Workload[] = [
  pairs(20, 32, ['gateway', 'direct']),
  pairs(20, 1, ['gateway', 'direct']),
  pairs(1, 1, ['direct']),
  pairs(100, 1, ['direct']),
  {
    name: 'both sides 20x32',
    floors: FLOORS,
    run: (bench) => runPairs(bench, 'both sides 20x32', 20, 32, ['direct'], true),
  },
  { name: 'streams 20x32', isQuick: true, floors: FLOORS, run: runStreams },
  { name: 'bursts', floors: FLOORS, run: runBursts },
  { name: 'open load', floors: FLOORS, run: runOpenLoad },
];

function pairs(count: number, inFlight: number, ways: ('gateway' | 'direct')[]): Workload {
  const name = `pairs ${count}x${inFlight}`;
  return {
    name,
    ...(count < 100 ? { isQuick: true } : {}),
    ...(inFlight === 1 ? { isVariant: true } : {}),
    floors: FLOORS,
    run: (bench) => runPairs(bench, name, count, inFlight, ways),
  };
}

async function runPairs(
  bench: Bench,
  workload: string,
  count: number,
  inFlight: number,
  usual: ('gateway' | 'direct')[],
  bothWrite = false,
): Promise<void> {
  for (const through of bench.ways(...usual)) {
    await using server = await bench.server();
    const people = server.people(names('p', 2 * count), through);
    const params = { people, inFlight, bodyBytes: BODY_BYTES, bothWrite, ...bench.sizes };
    await bench.measure({ workload, through, load: 'pairs', params, server });
  }
}

async function runStreams(bench: Bench): Promise<void> {
  for (const through of bench.ways('gateway', 'direct')) {
    await using server = await bench.server();
    const people = server.people(names('p', 40), through);
    const params = { people, inFlight: 32, bodyBytes: BODY_BYTES, ...bench.sizes };
    await bench.measure({ workload: 'streams 20x32', through, load: 'streams', params, server });
  }
}

async function runBursts(bench: Bench): Promise<void> {
  const [through = 'direct'] = bench.ways('direct');
  await using server = await bench.server();
  const people = server.people(names('p', 40), through);
  const burst = { burstingOfTen: 1, size: bench.size(200, 20), pauseMs: 250 };
  const params = { people, bodyBytes: BODY_BYTES, ...burst, ...bench.sizes };
  await bench.measure({ workload: 'bursts', through, load: 'bursts', params, server });
}

/** What the capacity model is checked against. */
async function runOpenLoad(bench: Bench): Promise<void> {
  const [through = 'direct'] = bench.ways('direct');
  for (const messagesPerSecond of OPEN_LOADS.slice(0, bench.size(OPEN_LOADS.length, 1))) {
    await using server = await bench.server();
    const params = {
      people: server.people(names('p', 40), through),
      messagesPerSecond,
      bodyBytes: BODY_BYTES,
    };
    const workload = `open load, ${messagesPerSecond}/s`;
    await bench.measure({
      workload,
      through,
      load: 'poisson',
      params: { ...params, ...bench.sizes },
      server,
    });
  }
}
