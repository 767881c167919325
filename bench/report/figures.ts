import type { Row } from './row.ts';

type Where = Row['through'];

/** Looks figures up in the rows of a run. Undefined for what was not measured, or failed. */
export class Figures {
  readonly #rows: readonly Row[];

  constructor(rows: readonly Row[]) {
    this.#rows = rows;
  }

  row(workload: string, store: string, through: Where = 'direct'): Row | undefined {
    return this.#rows.find(
      (row) =>
        row.workload === workload &&
        row.store === store &&
        row.through === through &&
        row.failure === undefined,
    );
  }

  rate(workload: string, store: string, through?: Where): number | undefined {
    return this.row(workload, store, through)?.rate;
  }

  p50(workload: string, store: string, through?: Where): number | undefined {
    return this.row(workload, store, through)?.acknowledged?.p50;
  }

  p99(workload: string, store: string, through?: Where): number | undefined {
    return this.row(workload, store, through)?.acknowledged?.p99;
  }

  /** A named figure, by a pattern of its name. */
  named(pattern: RegExp, workload: string, store: string, through?: Where): number | undefined {
    const figures = Object.entries(this.row(workload, store, through)?.figures ?? {});
    return figures.find(([name]) => pattern.test(name))?.[1];
  }

  /** All those whose names fit. */
  all(pattern: RegExp, workload: string, store: string, through?: Where): number[] {
    const figures = Object.entries(this.row(workload, store, through)?.figures ?? {});
    return figures.filter(([name]) => pattern.test(name)).map(([, value]) => value);
  }
}

export function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other;
}
