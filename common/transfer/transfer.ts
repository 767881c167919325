import { hash } from 'node:crypto';

/** A row on its way from one store to another: plain JSON, its members in the order of its table's columns. Bytes are hex, numbers beyond 2^53 are text. */
export type Row = Record<string, string | number>;

/** A store whose rows are read out. Nobody may write to it meanwhile. */
export interface Source extends AsyncDisposable {
  /** The names of its tables, in the order in which they are to be written. */
  readonly tables: readonly string[];
  /** How many rows about to expect of all tables, for a progress bar. */
  estimate(): Promise<number>;
  /** All rows of a table, in batches; no order is promised. */
  read(table: string): AsyncIterable<Row[]>;
}

/** A store on a server that an export is brought to. Nobody else may use it meanwhile. */
export interface Target extends Source {
  /**
   * Claims an empty store for one export, or goes on with what this export has claimed.
   * @throws NotEmptyError when it holds anything else.
   */
  begin(exportId: string): Promise<Progress>;
  /** Adds rows, durably, and notes that the first `done` rows of the table are here. Does no harm when it is repeated. */
  write(table: string, rows: readonly Row[], done: number): Promise<void>;
  /** Notes that everything is here. */
  finish(): Promise<void>;
}

export interface Progress {
  isFinished: boolean;
  /** How many of a table's first rows are here. */
  done: ReadonlyMap<string, number>;
}

/** What one table amounts to. */
export interface Sum {
  rows: number;
  /** Over all rows, whatever their order: the sum of their hashes modulo 2^64, in hex. */
  checksum: string;
}

/** Adds rows up to a Sum. */
export class Summing {
  #rows = 0;
  #sum = 0n;

  add(row: Row): void {
    this.#rows++;
    const digest = hash('sha256', JSON.stringify(row), 'buffer');
    this.#sum = BigInt.asUintN(64, this.#sum + digest.readBigUInt64BE());
  }

  get sum(): Sum {
    return { rows: this.#rows, checksum: this.#sum.toString(16).padStart(16, '0') };
  }
}

/** The target holds something that does not belong to the export. */
export class NotEmptyError extends Error {
  override readonly name = 'NotEmptyError';

  constructor(where: string, what: string) {
    super(`${where} ${what}: an import needs an empty one`);
  }
}
