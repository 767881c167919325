import type { Probe } from '../processes/probe.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

const SAMPLE_SECONDS = 10;
const SOAK_SECONDS = 600;

/** Ten minutes of the same load: nothing may grow, or slow down. Compares the last third with the first. */
export const SOAK: Workload = {
  name: 'soak',
  isNamedOnly: true,
  async run(bench: Bench) {
    const [through = 'direct'] = bench.ways('direct');
    await using server = await bench.server();
    const people = server.people(names('p', 40), through);
    const seconds = bench.size(SOAK_SECONDS, 5);
    const every = bench.size(SAMPLE_SECONDS, 1);
    const samples: Sample[] = [];
    let [progressed, counted] = [0, 0];
    await bench.measure({
      workload: 'soak 20x4',
      through,
      load: 'pairs',
      params: { people, inFlight: 4, bodyBytes: BODY_BYTES, ...bench.sizes, seconds },
      server,
      extraSeconds: seconds,
      onProgress(count) {
        if (++progressed % every > 0) return;
        const rate = (count - counted) / every;
        counted = count;
        server.probe({ isStart: true }).then((probe) => samples.push({ ...probe, rate }));
      },
      adds: () => drift(samples),
    });
  },
};

type Sample = Probe & { rate: number };

/** The mean of the last third to that of the first: 1 where nothing drifts. */
function drift(samples: readonly Sample[]): Record<string, number> {
  const third = Math.floor(samples.length / 3);
  const ratio = (what: keyof Sample) =>
    mean(samples.slice(-third).map((sample) => sample[what])) /
    mean(samples.slice(0, third).map((sample) => sample[what]));
  return {
    'throughput, last third to first': ratio('rate'),
    'RSS, last third to first': ratio('rssMb'),
    'heap, last third to first': ratio('heapMb'),
    'handles, last third to first': ratio('handles'),
    'lag p99, last third to first': ratio('lagP99Ms'),
    samples: samples.length,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
