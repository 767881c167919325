import type { Result } from '#common/mysql/transaction.ts';

export function rowsOf<Row>(result: Result | undefined): Row[] {
  return (result ?? []) as Row[];
}

/** MySQL takes `ada` and `ada ` for one; for us nobody is called the latter. */
export function exactly<Row>(rows: Row[], isIt: (row: Row) => boolean): Row | undefined {
  return rows.find(isIt);
}
