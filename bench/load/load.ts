import type { Percentiles } from './samples.ts';

export interface Person {
  username: string;
  token: string;
  /** `host:port` that they connect to. */
  address: string;
}

/** What a load measured. A run in which anything was lost, repeated or out of order throws instead. */
export interface LoadResult {
  /** Messages (or whatever the load says) per second. */
  rate?: number;
  /** From the send to its acknowledgement, ms. */
  acknowledged?: Percentiles;
  /** From the send to its delivery, ms. */
  delivered?: Percentiles;
  /** Anything else, by names that tell their unit. */
  figures?: Record<string, number>;
}

/** How a load tells whoever started it where it is. */
export interface Phases {
  /** From here on it is measured. */
  begin(): void;
  end(): void;
  /** How many so far. */
  progress(count: number): void;
  /** Lets the other side do something first, such as looking at the server's memory. */
  wait(what: string): Promise<void>;
}

/** Throws unless it holds: a violation voids the figure. */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`violated: ${what}`);
}
