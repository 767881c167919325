import type { Marks, StatePage } from '../ports.ts';

/** More than all marks that share a revision, which are those of one batch (`ReadMarks`). */
export const STATE_ROWS = 500;

/**
 * A page of personal state from its rows, ascending by revision: at most `STATE_ROWS` of them, of which the last revision may be cut and then
 * waits for the next page. `revision`: the user's, read before the rows.
 */
export function toStatePage(rows: Marks[], revision: number): StatePage {
  const last = rows.at(-1)?.revision ?? 0;
  const first = rows[0]?.revision ?? 0;
  if (rows.length < STATE_ROWS || first === last) return { marks: rows, revision: Math.max(revision, last) };
  return { marks: rows.filter((row) => row.revision < last), revision: last - 1 };
}
