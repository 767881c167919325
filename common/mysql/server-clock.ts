import { aheadBy, MAX_AHEAD_MS } from '../clocks.ts';
import type { Log } from '../log.ts';
import type { Mysql } from './open.ts';
import { sql } from './sql.ts';

/**
 * Says in an operator's words when the database server's clock and ours are more than a minute apart: one of
 * them is wrong.
 */
export async function warnOfClock(mysql: Mysql, clock: () => number, log: Log): Promise<void> {
  const [row] = await mysql.query<{ now: string }>(sql`SELECT UNIX_TIMESTAMP(NOW(3)) * 1000 AS now`);
  const seconds = Math.round(aheadBy(clock(), Number(row?.now)) / 1_000);
  if (Math.abs(seconds) * 1_000 <= MAX_AHEAD_MS) return;
  const how = seconds > 0 ? 'ahead of' : 'behind';
  log.warn(
    `this machine’s clock is ${Math.abs(seconds)} s ${how} the database server’s: one of them is wrong, and what is written now may carry a wrong time`,
  );
}
