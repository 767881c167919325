import type { Migration } from '#common/sqlite/open.ts';

export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'the log',
    sql: `
      CREATE TABLE conversation (
        key BLOB PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        members TEXT NOT NULL,
        last_seq INTEGER NOT NULL,
        messages_so_far INTEGER NOT NULL,
        last_sent_at INTEGER NOT NULL,
        created_at INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE member (
        user TEXT NOT NULL,
        key BLOB NOT NULL REFERENCES conversation,
        PRIMARY KEY (user, key)
      ) STRICT, WITHOUT ROWID;

      -- A rowid table: bodies are appended where the file ends, and only the two small indexes are random.
      CREATE TABLE entry (
        key BLOB NOT NULL,
        seq INTEGER NOT NULL,
        sender TEXT NOT NULL,
        client_id TEXT NOT NULL,
        content_hash BLOB NOT NULL,
        sent_at INTEGER NOT NULL,
        client_time INTEGER NOT NULL,
        messages_so_far INTEGER NOT NULL,
        body TEXT NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX entry_seq ON entry (key, seq);
      CREATE UNIQUE INDEX entry_client_id ON entry (key, sender, client_id);

      CREATE TABLE device_cursor (
        user TEXT NOT NULL,
        device TEXT NOT NULL,
        key BLOB NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (user, device, key)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE journal (
        batch INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        commits TEXT NOT NULL
      ) STRICT;

      CREATE TABLE journal_reader (
        name TEXT PRIMARY KEY,
        batch INTEGER NOT NULL,
        seen_at INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
];
