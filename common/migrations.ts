import { hash } from 'node:crypto';

/** One step of a schema: `name` for people, `sql` of one or more statements. Never edited once released. */
export interface Migration {
  name: string;
  sql: string;
}

/** A step as a database remembers it; the checksum is null where a program that kept none ran it. */
export interface AppliedStep {
  number: number;
  name: string;
  checksum: string | null;
}

export interface Step extends Migration {
  /** From 1. */
  number: number;
  checksum: string;
}

/** What `npm run migrate -- --status` shows of a step. */
export interface StepStatus {
  number: number;
  name: string;
  isApplied: boolean;
}

/** The schema of a store, for an operator who does not want a starting node to change it. */
export interface StoreSchema {
  /** Changes nothing. */
  status(): Promise<StepStatus[]>;
  /** Runs what is missing. */
  migrate(): Promise<void>;
}

/**
 * The steps that a database has yet to run, in order.
 * @throws Error, in an operator's words, when `where` was written by a newer program, or by other steps than ours.
 */
export function stepsToRun(
  where: string,
  applied: readonly AppliedStep[],
  migrations: readonly Migration[],
): Step[] {
  const steps = migrations.map((migration, i) => ({
    ...migration,
    number: i + 1,
    checksum: checksum(migration),
  }));
  const newest = Math.max(0, ...applied.map(({ number }) => number));
  if (newest > steps.length)
    throw new Error(
      `${where} was written by a newer Chatterbox (schema ${newest}, this one knows ${steps.length}): run that version`,
    );
  for (const { number, checksum: known } of applied) {
    const step = steps[number - 1];
    if (known !== null && known !== step?.checksum)
      throw new Error(
        `${where}: step ${number} of its schema, "${step?.name}", is not the one that ran there`,
      );
  }
  const done = new Set(applied.map(({ number }) => number));
  return steps.filter(({ number }) => !done.has(number));
}

/** Every step, and whether it has run. @throws Error like `stepsToRun`. */
export function stepStatuses(
  where: string,
  applied: readonly AppliedStep[],
  migrations: readonly Migration[],
): StepStatus[] {
  const missing = new Set(stepsToRun(where, applied, migrations).map(({ number }) => number));
  return migrations.map(({ name }, i) => ({ number: i + 1, name, isApplied: !missing.has(i + 1) }));
}

/** Over the statements as they are; how they are indented does not count. */
function checksum({ sql }: Migration): string {
  return hash('sha256', sql.replaceAll(/\s+/g, ' ').trim(), 'hex');
}
