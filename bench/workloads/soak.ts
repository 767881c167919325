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
        // What went wrong is told at the end.
        sampled.catch(() => {});
      },
      async adds() {
        await sampled;
        return drift(samples);
      },
    });
  },
};

type Figure = keyof Probe | 'rate';
type Sample = Record<Figure, number> & { collects: boolean };

/** What was at the end to what was at the beginning: 1 where nothing drifts. */
function drift(all: readonly Sample[]): Record<string, number> {
  const samples = all.filter(({ collects }) => !collects);
  const third = Math.ceil(samples.length / 3);
  const drifted = (what: Figure) => ratio(what, samples.slice(-third), samples.slice(0, third));
  const collected = all.filter(({ collects }) => collects);
  const left = (what: Figure) => ratio(what, collected.slice(-1), collected.slice(0, 1));
  return {
    'throughput, last third to first': drifted('rate'),
    'RSS, last third to first': drifted('rssMb'),
    'heap, last third to first': drifted('heapMb'),
    'handles, last third to first': drifted('handles'),
    'lag p99, last third to first': drifted('lagP99Ms'),
    'RSS after a full collection, end to beginning': left('rssMb'),
    'heap after a full collection, end to beginning': left('heapMb'),
    samples: samples.length,
  };
}

/** The mean of some samples to that of others. */
function ratio(what: Figure, some: readonly Sample[], others: readonly Sample[]): number {
  const mean = (samples: readonly Sample[]) =>
    samples.reduce((sum, sample) => sum + sample[what], 0) / samples.length;
  return mean(some) / mean(others);
}
