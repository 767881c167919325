import { type MysqlTable, type MysqlTransfer, openMysqlTransfer } from '#common/transfer/mysql.ts';
import { openSqliteSource } from '#common/transfer/sqlite.ts';
import type { Source } from '#common/transfer/transfer.ts';
import { SCHEMA } from './mysql/schema.ts';
import { MIGRATIONS } from './schema-sqlite.ts';

/** What an export holds of the accounts. Failed logins are forgotten. */
const TABLES: readonly MysqlTable[] = [
  {
    name: 'account',
    mysql: 'auth_account',
    columns: {
      seq: 'number',
      username: 'text',
      display_name: 'text',
      password_hash: 'text',
      created_at: 'number',
    },
    key: ['username'],
  },
  {
    name: 'session',
    mysql: 'auth_session',
    columns: {
      id: 'text',
      username: 'text',
      device: 'text',
      created_at: 'number',
      used_at: 'number',
      generation: 'number',
      token_hash: 'text',
      previous_hash: 'text',
      token_until: 'number',
      forgiven_at: 'number',
    },
    key: ['id'],
  },
  {
    name: 'revocation',
    mysql: 'auth_revocation',
    columns: { seq: 'number', session_id: 'text', until: 'number' },
    key: ['seq'],
  },
  {
    name: 'known_address',
    mysql: 'auth_known_address',
    columns: { username: 'text', address: 'text', used_at: 'number' },
    key: ['username', 'address'],
  },
  // Last: whoever follows these feeds goes on from where the rows end.
  {
    name: 'feed',
    mysql: 'auth_feed',
    columns: { name: 'text', last_seq: 'number' },
    key: ['name'],
    from: `(SELECT 'accounts' AS name, coalesce(max(seq), 0) AS last_seq FROM account
            UNION ALL SELECT 'revocations', coalesce(max(seq), 0) FROM revocation)`,
    isNeverEmpty: true,
  },
];

export function sqliteAccounts(dataDir: string): Source {
  return openSqliteSource({ dataDir, service: 'authenticator', file: 'accounts.db' }, MIGRATIONS, TABLES);
}

export function mysqlAccounts(url: string): Promise<MysqlTransfer> {
  return openMysqlTransfer(url, SCHEMA, TABLES);
}
