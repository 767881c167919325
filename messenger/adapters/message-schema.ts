import { join } from 'node:path';
import type { StoreSchema } from '#common/migrations.ts';
import { migrateMysql, mysqlStatus } from '#common/mysql/migrate.ts';
import { openSqlite, sqliteStatus } from '#common/sqlite/open.ts';
import { SCHEMA } from './mysql/schema.ts';
import { MIGRATIONS } from './sqlite/schema.ts';

export function mysqlMessageSchema(url: string): StoreSchema {
  return { status: () => mysqlStatus(url, SCHEMA), migrate: () => migrateMysql(url, SCHEMA) };
}

export function sqliteMessageSchema(folder: string): StoreSchema {
  const path = join(folder, 'messages.db');
  return {
    status: async () => sqliteStatus(path, MIGRATIONS),
    migrate: async () => openSqlite(path, MIGRATIONS).close(),
  };
}
