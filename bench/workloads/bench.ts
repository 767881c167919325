import type { LoadName, LoadParams } from '../load/loads.ts';
import { interruption } from '../processes/child.ts';
import { runLoad } from '../processes/loading.ts';
import { type ServerOptions, type ServerUnderTest, startServer, type Through } from '../processes/server.ts';
import type { Progress } from '../report/progress.ts';
import { type Row, titleOf } from '../report/row.ts';
import { whole } from '../report/table.ts';

/** One line of the table of figures, or a floor of it. */
export interface Workload {
  name: string;
  /** It is part of `--quick`. */
  isQuick?: true;
  /** It takes too long to be part of a run that does not name it. */
  isNamedOnly?: true;
  /** Another one with other numbers: a smoke run leaves it out. */
  isVariant?: true;
  /** It is run once, and not for each store. */
  isStoreless?: true;
  /** Other workloads, by name, without which its figure cannot be judged. */
  floors?: string[];
  run(bench: Bench): Promise<void>;
}

export interface Store {
  name: string;
  /** `sqlite:`, or a server. */
  url: string;
}

/** The sizes of a run. A smoke run is as small as still shows that everything works. */
export interface Sizes {
  warmUpSeconds: number;
  seconds: number;
  isSmoke: boolean;
}

export const BODY_BYTES = 110;
/** On top of what a run is to take. */
const GRACE_SECONDS = 60;

/** What a workload measures with. */
export class Bench {
  readonly store: Store;
  readonly sizes: Sizes;
  readonly #through: Through | undefined;
  readonly #root: string | undefined;
  readonly #progress: Progress;
  readonly #onRow: (row: Row) => void;

  constructor(options: BenchOptions) {
    this.store = options.store;
    this.sizes = options.sizes;
    this.#through = options.through;
    this.#root = options.root;
    this.#progress = options.progress;
    this.#onRow = options.onRow;
  }

  /** How the system is reached: as the command line says, or as the workload needs it; in a smoke run by one of these ways. */
  ways(...usual: Through[]): Through[] {
    if (this.#through !== undefined) return [this.#through];
    return this.sizes.isSmoke ? usual.slice(0, 1) : usual;
  }

  server(options: Partial<ServerOptions> = {}): Promise<ServerUnderTest> {
    const root = this.#root === undefined ? {} : { root: this.#root };
    return startServer({ program: 'system', store: this.store.url, ...root, ...options });
  }

  doing(what: string, detail?: string): void {
    this.#progress.doing(what, detail);
  }

  record(row: Row): void {
    this.#onRow(row);
  }

  /** A big number, or a small one for a smoke run. */
  size(full: number, smoke: number): number {
    return this.sizes.isSmoke ? smoke : full;
  }

  /** Runs a load against a server, and records what came out, or why nothing did. */
  async measure<Name extends LoadName>(of: Measured<Name>): Promise<void> {
    const { workload, through, store = this.store.name } = of;
    const row = { workload, store, through };
    try {
      this.record({ ...row, ...(await this.#run(of, titleOf(row))) });
    } catch (error) {
      interruption.signal.throwIfAborted();
      this.record({ ...row, failure: error instanceof Error ? error.message : String(error) });
    }
  }

  async #run<Name extends LoadName>(of: Measured<Name>, title: string): Promise<Partial<Row>> {
    const { load, params, server, extraSeconds = 0, adds, onWait, onProgress } = of;
    const { warmUpSeconds, seconds } = this.sizes;
    this.doing(title);
    const { result, ...usage } = await runLoad({
      load,
      params,
      pids: server.pids,
      withinSeconds: warmUpSeconds + seconds + extraSeconds + GRACE_SECONDS,
      onBegin: async () => server.probe?.({ isStart: true }),
      onProgress: (count) => {
        this.doing(title, whole(count));
        onProgress?.(count);
      },
      ...(onWait === undefined ? {} : { onWait }),
    });
    const probe = await server.probe?.();
    const figures = { ...result.figures, ...(await adds?.()) };
    return {
      ...result,
      ...usage,
      ...(probe === undefined ? {} : { lagP99Ms: probe.lagP99Ms }),
      ...(Object.keys(figures).length > 0 ? { figures } : {}),
    };
  }
}

export interface BenchOptions {
  store: Store;
  sizes: Sizes;
  through?: Through | undefined;
  /** The checkout to measure; default: this one. */
  root?: string | undefined;
  progress: Progress;
  onRow: (row: Row) => void;
}

type Measured<Name extends LoadName> = Pick<Row, 'workload' | 'through'> & {
  store?: string;
  load: Name;
  params: LoadParams<Name>;
  /** Without a probe there is nothing to tell of its event loop. */
  server: Pick<ServerUnderTest, 'pids'> & Partial<Pick<ServerUnderTest, 'probe'>>;
  /** What it takes beside the warm-up and the measured seconds. */
  extraSeconds?: number;
  /** Figures that only this side knows, asked for at the end. */
  adds?: () => Record<string, number> | Promise<Record<string, number>>;
  onWait?: (what: string) => Promise<unknown>;
  onProgress?: (count: number) => void;
};

export function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}
