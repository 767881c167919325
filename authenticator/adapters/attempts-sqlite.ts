import type { DatabaseSync } from 'node:sqlite';
import { aheadBy } from '#common/clocks.ts';
import type { Attempt, Budget } from '../ports.ts';

const FIRST_WAIT_MS = 1_000;

/** See AccountStore.admit; runs inside the caller's transaction. */
export function admit(db: DatabaseSync, { budgets, now, forgetMs }: Attempt): number {
  db.prepare('DELETE FROM attempt WHERE forget_at < ?').run(now);
  const wait = Math.max(0, ...budgets.map((budget) => waitOf(db, budget, now)));
  if (wait > 0) return wait;
  const count = db.prepare(
    `INSERT INTO attempt (budget, count, last_at, forget_at) VALUES (?, 1, ?, ?)
     ON CONFLICT (budget) DO UPDATE SET count = count + 1, last_at = excluded.last_at, forget_at = excluded.forget_at`,
  );
  for (const { key } of budgets) count.run(key, now, now + forgetMs);
  return 0;
}

/** See AccountStore.settle; runs inside the caller's transaction. */
export function settle(
  db: DatabaseSync,
  { username, address, budgets, now }: Attempt,
  isSuccess: boolean,
): void {
  for (const { key } of budgets)
    db.prepare('UPDATE attempt SET count = count - 1 WHERE budget = ? AND count > 0').run(key);
  if (!isSuccess) return;
  db.prepare('DELETE FROM attempt WHERE budget = ?').run(budgets[0]?.key ?? '');
  makeKnown(db, username, address, now);
}

/** See AccountStore.knows. */
export function knows(db: DatabaseSync, username: string, address: string, since: number): boolean {
  const sql = 'SELECT 1 FROM known_address WHERE username = ? AND address = ? AND used_at >= ?';
  return db.prepare(sql).get(username, address, since) !== undefined;
}

export function makeKnown(db: DatabaseSync, username: string, address: string, now: number): void {
  db.prepare(
    `INSERT INTO known_address (username, address, used_at) VALUES (?, ?, ?)
     ON CONFLICT (username, address) DO UPDATE SET used_at = max(used_at, excluded.used_at)`,
  ).run(username, address, now);
}

/**
 * Twice as long with each attempt beyond the free ones, up to the ceiling; no longer where the clock was set
 * back since.
 */
function waitOf(db: DatabaseSync, { key, free, ceilingMs }: Budget, now: number): number {
  const row = db.prepare('SELECT count, last_at FROM attempt WHERE budget = ?').get(key) as
    | { count: number; last_at: number }
    | undefined;
  if (row === undefined || row.count < free) return 0;
  const wait = Math.min(ceilingMs, FIRST_WAIT_MS * 2 ** (row.count - free));
  return Math.min(wait, Math.max(0, aheadBy(row.last_at + wait, now)));
}
