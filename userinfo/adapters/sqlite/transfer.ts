import { openSqliteSource } from '#common/transfer/sqlite.ts';
import type { Table } from '#common/transfer/table.ts';
import type { Source } from '#common/transfer/transfer.ts';
import { MIGRATIONS } from './schema.ts';

/**
 * What an export holds of the graph. What people are found by comes from their names. Of the feeds only the place among the accounts
 * goes along: the commits are told anew.
 */
const TABLES: readonly Table[] = [
  {
    name: 'person',
    columns: { username: 'text', display_name: 'text', about: 'text', avatar_url: 'text' },
    key: ['username'],
  },
  {
    name: 'friendship',
    columns: { one: 'text', other: 'text', since: 'number' },
    key: ['one', 'other'],
    from: '(SELECT username AS one, friend AS other, since FROM friendship WHERE username < friend)',
  },
  {
    name: 'request',
    columns: { sender: 'text', recipient: 'text', since: 'number' },
    key: ['sender', 'recipient'],
  },
  { name: 'dismissed', columns: { username: 'text', other: 'text' }, key: ['username', 'other'] },
  {
    name: 'chatted',
    columns: { one: 'text', other: 'text', at: 'number' },
    key: ['one', 'other'],
    from: '(SELECT username AS one, other, at FROM chatted WHERE username <= other)',
  },
  {
    name: 'feed',
    columns: { name: 'text', cursor: 'text' },
    key: ['name'],
    from: "(SELECT name, cursor FROM feed WHERE name = 'accounts')",
  },
];

export function sqliteGraphSource(dataDir: string, file: string): Source {
  return openSqliteSource({ dataDir, service: 'userinfo', file }, MIGRATIONS, TABLES);
}
