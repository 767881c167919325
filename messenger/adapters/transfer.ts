import { type MysqlTransfer, openMysqlTransfer } from '#common/transfer/mysql.ts';
import { openSqliteSource } from '#common/transfer/sqlite.ts';
import type { Source } from '#common/transfer/transfer.ts';
import { beginEpoch } from './mysql/epoch.ts';
import { SCHEMA } from './mysql/schema.ts';
import { MIGRATIONS } from './sqlite/schema.ts';
import { TABLES } from './transfer-tables.ts';

export function sqliteMessages(dataDir: string): Source {
  return openSqliteSource({ dataDir, service: 'messenger', file: 'messages.db' }, MIGRATIONS, TABLES);
}

export function mysqlMessages(url: string): Promise<MysqlTransfer> {
  return openMysqlTransfer(url, SCHEMA, TABLES, () => [beginEpoch()]);
}
