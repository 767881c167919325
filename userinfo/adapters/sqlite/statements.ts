import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

/** The statements of a store, each prepared once. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  all<Row>(sql: string, values: Values): Row[] {
    return this.#prepare(sql).all(values) as Row[];
  }

  /** Whether anything changed. */
  run(sql: string, values: Values): boolean {
    return Number(this.#prepare(sql).run(values).changes) > 0;
  }

  #prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}

type Values = Record<string, SQLInputValue>;
