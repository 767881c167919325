import type { Log } from '../log.ts';
import type { Mysql } from './open.ts';
import { sql } from './sql.ts';

const SMALLEST_PACKET = 16 * 1024 * 1024;

/**
 * What the server is set to that could lose an acknowledged commit or refuse a full batch, in an operator's words; empty when all is well.
 * A killed process cannot show these: only a power cut does.
 */
export async function weaknesses(mysql: Mysql): Promise<string[]> {
  const names = [
    'innodb_flush_log_at_trx_commit',
    'log_bin',
    'sync_binlog',
    'max_allowed_packet',
    'read_only',
  ];
  const rows = await mysql.query<{ Variable_name: string; Value: string }>(
    sql`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names})`,
  );
  const value = new Map(rows.map((row) => [row.Variable_name, row.Value]));
  const found: string[] = [];
  const flush = value.get('innodb_flush_log_at_trx_commit');
  if (flush !== undefined && flush !== '1')
    found.push(
      `innodb_flush_log_at_trx_commit is ${flush}: a power cut may lose what was acknowledged; set it to 1`,
    );
  if (value.get('log_bin') === 'ON' && value.get('sync_binlog') !== '1')
    found.push(
      `sync_binlog is ${value.get('sync_binlog')}: a replica may miss what was acknowledged after a power cut; set it to 1`,
    );
  if (Number(value.get('max_allowed_packet')) < SMALLEST_PACKET)
    found.push(
      `max_allowed_packet is ${value.get('max_allowed_packet')}: full batches are refused; set it to ${SMALLEST_PACKET} or more`,
    );
  if (value.get('read_only') === 'ON') found.push('the server is read_only: nothing can be written');
  return found;
}

export async function warnOfWeaknesses(mysql: Mysql, log: Log): Promise<void> {
  for (const weakness of await weaknesses(mysql)) log.warn(weakness);
}
