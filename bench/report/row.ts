import type { LoadResult } from '../load/load.ts';
import type { Usage } from '../processes/usage.ts';

/** One measured figure, with what it cost. */
export interface Row extends LoadResult, Partial<Usage> {
  workload: string;
  /** SQLite, MariaDB, ...; none where nothing is stored. */
  store: string;
  /** How it was reached; floors stand beside what they bound. */
  through: 'direct' | 'gateway' | 'floor';
  /** How late the server's event loop was. */
  lagP99Ms?: number;
  /** Why there is no figure, or why it does not count. */
  failure?: string;
}

/** What makes a row comparable with another one. */
export function titleOf({ workload, store, through }: Pick<Row, 'workload' | 'store' | 'through'>): string {
  return [workload, store, through].filter((part) => part !== 'none').join(', ');
}
