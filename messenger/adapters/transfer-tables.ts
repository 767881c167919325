import type { MysqlTable } from '#common/transfer/mysql.ts';

const KEY = { renamed: { key: 'k' } };

/** What an export holds of the messages. The journal stays behind: whoever follows it begins anew with a snapshot. */
export const TABLES: readonly MysqlTable[] = [
  {
    name: 'conversation',
    mysql: 'conversation',
    ...KEY,
    columns: {
      key: 'bytes',
      id: 'text',
      members: 'text',
      last_seq: 'number',
      messages_so_far: 'number',
      last_sent_at: 'number',
      created_at: 'number',
    },
    key: ['key'],
  },
  {
    name: 'member',
    mysql: 'member',
    ...KEY,
    columns: {
      user: 'text',
      key: 'bytes',
      read_seq: 'number',
      read_messages: 'number',
      delivered_seq: 'number',
      revision: 'number',
      marks_revision: 'number',
    },
    key: ['user', 'key'],
  },
  { name: 'person', mysql: 'person', columns: { user: 'text', revision: 'number' }, key: ['user'] },
  {
    name: 'conversation_marks',
    mysql: 'conversation_marks',
    ...KEY,
    columns: { key: 'bytes', revision: 'number' },
    key: ['key'],
  },
  {
    name: 'device',
    mysql: 'device',
    columns: { user: 'text', device: 'text', base_at: 'number', seen_at: 'number' },
    key: ['user', 'device'],
  },
  {
    name: 'device_cursor',
    mysql: 'device_cursor',
    ...KEY,
    columns: { user: 'text', device: 'text', key: 'bytes', seq: 'number', marks_taken: 'number' },
    key: ['user', 'device', 'key'],
  },
  {
    name: 'entry',
    mysql: 'entry',
    ...KEY,
    columns: {
      key: 'bytes',
      seq: 'number',
      sender: 'text',
      client_id: 'text',
      content_hash: 'bytes',
      sent_at: 'number',
      // Whatever a client's clock said: any 64-bit number.
      client_time: 'bigint',
      messages_so_far: 'number',
      body: 'text',
    },
    key: ['key', 'seq'],
  },
];
