/** What a column holds: `bigint` may lie beyond 2^53 and is text on its way, `bytes` are hex. */
export type Kind = 'text' | 'number' | 'bigint' | 'bytes';

/** A table of an SQL store, as it is exported. */
export interface Table {
  name: string;
  /** In their order. */
  columns: Readonly<Record<string, Kind>>;
  /** The primary key. */
  key: readonly string[];
  /** What SQLite selects from, where it is not a table of that name. */
  from?: string;
  /** An empty store has rows here, too. */
  isNeverEmpty?: boolean;
}

/** @throws Error when there is no such table. */
export function tableOf<T extends Table>(tables: readonly T[], name: string): T {
  const table = tables.find((one) => one.name === name);
  if (table === undefined) throw new Error(`there is no table ${name}`);
  return table;
}
