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
  {
    name: 'when devices were first and last seen, and revisions of marks',
    sql: `
      -- When it was first seen, and last; ms since the epoch. Those that were here before have been here for ever.
      ALTER TABLE device ADD COLUMN base_at INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE device ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
      INSERT OR IGNORE INTO device (user, device) SELECT DISTINCT user, device FROM device_cursor;

      -- The revision of a conversation's marks that the device has; 0 for none.
      ALTER TABLE device_cursor ADD COLUMN marks_taken INTEGER NOT NULL DEFAULT 0;

      -- The revision of the conversation's marks that last set a member's; and the last revision of each conversation, 1 where no row is.
      ALTER TABLE member ADD COLUMN marks_revision INTEGER NOT NULL DEFAULT 1;
      CREATE TABLE conversation_marks (
        key BLOB PRIMARY KEY,
        revision INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'the epoch of the log',
    sql: `
      CREATE TABLE log_epoch (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch TEXT NOT NULL
      ) STRICT;
      INSERT INTO log_epoch (one, epoch) VALUES (1, lower(hex(randomblob(16))));
    `,
  },
];
