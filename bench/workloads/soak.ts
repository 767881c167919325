import type { Probe } from '../processes/probe.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

const SAMPLE_SECONDS = 10;
const SOAK_SECONDS = 600;

/**
 * Ten minutes of the same load: nothing may grow, or slow down. Compares the last third with the first, and what a full garbage collection
 * leaves near the end with what it leaves near the beginning.
 */
export const SOAK: Workload = {
  name: 'soak',
  isNamedOnly: true,
  async run(bench: Bench) {
    const [through = 'direct'] = bench.ways('direct');
    await using server = await bench.server();
    const people = server.people(names('p', 40), through);
    const seconds = bench.size(SOAK_SECONDS, 5);
    const every = bench.size(SAMPLE_SECONDS, 1);
    const collectsAt = [2, Math.floor(seconds / every) - 2];
    const samples: Sample[] = [];
    let [progressed, counted] = [0, 0];
    let sampled = Promise.resolve();
    const sample = async (rate: number) => {
      const collects = collectsAt.includes(samples.length);
      samples.push({ ...(await server.probe({ isStart: true, collects })), rate, collects });
    };
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
        sampled = sampled.then(() => sample(rate));
        sampled.catch(() => {});
      },
      async adds() {
        await sampled;
        return drift(samples);
      },
    });
  },
};

type Sample = Probe & { rate: number; collects: boolean };

/** The mean of the last third to that of the first: 1 where nothing drifts. */
function drift(all: readonly Sample[]): Record<string, number> {
  const collected = all.filter(({ collects }) => collects);
  const samples = all.filter(({ collects }) => !collects);
  const third = Math.floor(samples.length / 3);
  const ratio = (what: keyof Probe | 'rate') =>
    mean(samples.slice(-third).map((sample) => sample[what])) /
    mean(samples.slice(0, third).map((sample) => sample[what]));
  const left = (what: keyof Probe) =>
    (collected.at(-1)?.[what] ?? Number.NaN) / (collected[0]?.[what] ?? Number.NaN);
  return {
    'throughput, last third to first': ratio('rate'),
    'RSS, last third to first': ratio('rssMb'),
    'heap, last third to first': ratio('heapMb'),
    'handles, last third to first': ratio('handles'),
    'lag p99, last third to first': ratio('lagP99Ms'),
    'RSS after a full collection, end to beginning': left('rssMb'),
    'heap after a full collection, end to beginning': left('heapMb'),
    samples: samples.length,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
