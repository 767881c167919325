import type { PairsParams } from '../load/pairs.ts';
import { loadWorld } from '../loaders/load-world.ts';
import type { World } from '../loaders/world.ts';
import { runLoad } from '../processes/loading.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

const MISSED_EACH = 2;
const LONGEST_SECONDS = 300;

export const STORM: Workload = {
  name: 'storm',
  async run(bench: Bench) {
    const count = bench.size(5_000, 50);
    const usernames = names('s', count);
    for (const through of bench.ways('direct', 'gateway')) {
      await using server = await bench.server({ prepare: (where) => loadWorld(where, threeEach(usernames)) });
      const others = new Others({
        people: server.people(names('p', bench.size(40, 4)), through),
        inFlight: 1,
        bodyBytes: BODY_BYTES,
        ...bench.sizes,
      });
      const params = {
        people: server.people(usernames, through),
        missedConversations: 3,
        missedEach: MISSED_EACH,
      };
      await bench.measure({
        workload: 'storm',
        through,
        load: 'storm',
        params,
        server,
        extraSeconds: 120,
        onWait: (what) => (what === 'cut' ? others.measureBefore() : others.end()),
        adds: () => others.figures,
      });
    }
  },
};

/** Those who go on talking meanwhile. */
class Others {
  readonly #params: PairsParams;
  readonly #measured = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  figures: Record<string, number> = {};

  constructor(params: PairsParams) {
    this.#params = params;
  }

  /** Begins; fulfils when it is known how it is for them without the storm. */
  measureBefore(): Promise<void> {
    this.#running = this.#run();
    return Promise.race([this.#measured.promise, this.#running]);
  }

  async end(): Promise<void> {
    this.#over.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { result } = await runLoad({
      load: 'bystanders',
      params: this.#params,
      pids: {},
      withinSeconds: LONGEST_SECONDS,
      onWait: async (what) => {
        if (what === 'measured') this.#measured.resolve();
        if (what === 'over') await this.#over.promise;
      },
    });
    this.figures = result.figures ?? {};
  }
}

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
