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
        read_seq INTEGER NOT NULL DEFAULT 0,
        -- The messages_so_far of the entry that is read up to: unread is a subtraction.
        read_messages INTEGER NOT NULL DEFAULT 0,
        delivered_seq INTEGER NOT NULL DEFAULT 0,
        revision INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (user, key)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX member_of ON member (key);

      -- The last revision of each user's personal state.
      CREATE TABLE person (
        user TEXT PRIMARY KEY,
        revision INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE device (
        user TEXT NOT NULL,
        device TEXT NOT NULL,
        PRIMARY KEY (user, device)
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

/** Every conversation of a user with a device's cursor: parameters device, user. */
export const POSITIONS = `
  SELECT c.id AS conversation, c.last_seq AS lastSeq, coalesce(d.seq, 0) AS cursor
  FROM member m JOIN conversation c ON c.key = m.key
  LEFT JOIN device_cursor d ON d.user = m.user AND d.device = ? AND d.key = m.key
  WHERE m.user = ?`;
