import { setTimeout as delay } from 'node:timers/promises';
import type { Through } from '../processes/server.ts';
import { type Bench, names, type Workload } from './bench.ts';

/** What opening them took is let go of by then. */
const SETTLE_MS = 1_500;

/** RSS of a session that does nothing, beside that of a bare grpc-js stream. The first tenth of them warms the server up. */
export const IDLE: Workload = {
  name: 'idle',
  async run(bench) {
    for (const through of bench.ways('direct', 'gateway'))
      await measure(bench, 'system', 'idle sessions', through);
    await measure(bench, 'echo', 'idle streams, grpc-js', 'floor');
  },
};

async function measure(
  bench: Bench,
  program: 'system' | 'echo',
  workload: string,
  through: Through | 'floor',
): Promise<void> {
  const count = bench.size(5_000, 50);
  const first = count / 10;
  await using server = await bench.server({ program });
  const people = server.people(names('p', count), through === 'floor' ? 'direct' : through);
  const rss: Record<string, number> = {};
  await bench.measure({
    workload,
    through,
    ...(program === 'echo' ? { store: 'none' } : {}),
    load: 'idle',
    params: { people, first },
    server,
    extraSeconds: 60,
    onWait: async (what) => {
      await delay(SETTLE_MS);
      rss[what] = (await server.probe({ collects: true })).rssMb;
    },
    adds: () => ({
      'KB per stream': (((rss.all ?? Number.NaN) - (rss.first ?? Number.NaN)) * 1000) / (count - first),
    }),
  });
}
