import { loadWorld } from '../loaders/load-world.ts';
import type { World } from '../loaders/world.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

const MISSED_EACH = 2;

export const STORM: Workload = {
  name: 'storm',
  async run(bench: Bench) {
    const count = bench.size(5_000, 50);
    const usernames = names('s', count);
    for (const through of bench.ways('direct', 'gateway')) {
      await using server = await bench.server({ prepare: (where) => loadWorld(where, threeEach(usernames)) });
      const params = {
        people: server.people(usernames, through),
        others: server.people(names('p', bench.size(40, 4)), through),
        missedConversations: 3,
        missedEach: MISSED_EACH,
        bodyBytes: BODY_BYTES,
        ...bench.sizes,
      };
      await bench.measure({ workload: 'storm', through, load: 'storm', params, server, extraSeconds: 120 });
    }
  },
};

/** A ring in which everybody has conversations with both neighbours and with whoever is opposite. */
function threeEach(usernames: string[]): World {
  const half = usernames.length / 2;
  const at = (i: number) => usernames[i % usernames.length] ?? '';
  const ring = usernames.map((_, i) => [at(i), at(i + 1)] as const);
  const opposite = usernames.slice(0, half).map((_, i) => [at(i), at(i + half)] as const);
  return {
    conversations: [...ring, ...opposite].map((members) => ({ members, entries: MISSED_EACH })),
    phones: usernames,
    bodyBytes: BODY_BYTES,
  };
}
