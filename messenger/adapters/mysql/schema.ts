import type { Schema } from '#common/mysql/migrate.ts';

/**
 * Every key leads with 16 evenly spread bytes of the conversation, or with a person, so that no end of an index is hot. The binary
 * collation compares what was written, and nothing else.
 */
const TEXT = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL';

export const SCHEMA: Schema = {
  part: 'messenger',
  migrations: [
    {
      name: 'the log',
      sql: `
        CREATE TABLE IF NOT EXISTS conversation (
          k BINARY(16) NOT NULL,
          id VARCHAR(160) ${TEXT},
          members TEXT ${TEXT},
          last_seq BIGINT NOT NULL,
          messages_so_far BIGINT NOT NULL,
          last_sent_at BIGINT NOT NULL,
          created_at BIGINT NOT NULL,
          PRIMARY KEY (k),
          UNIQUE KEY conversation_id (id)
        );
        CREATE TABLE IF NOT EXISTS member (
          user VARCHAR(64) ${TEXT},
          k BINARY(16) NOT NULL,
          read_seq BIGINT NOT NULL,
          read_messages BIGINT NOT NULL,
          delivered_seq BIGINT NOT NULL,
          revision BIGINT NOT NULL,
          PRIMARY KEY (user, k),
          KEY member_of (k)
        );
        CREATE TABLE IF NOT EXISTS person (
          user VARCHAR(64) ${TEXT},
          revision BIGINT NOT NULL,
          PRIMARY KEY (user)
        );
        CREATE TABLE IF NOT EXISTS device (
          user VARCHAR(64) ${TEXT},
          device VARCHAR(64) ${TEXT},
          PRIMARY KEY (user, device)
        );
        CREATE TABLE IF NOT EXISTS entry (
          k BINARY(16) NOT NULL,
          seq BIGINT NOT NULL,
          sender VARCHAR(64) ${TEXT},
          client_id VARCHAR(64) ${TEXT},
          content_hash BINARY(16) NOT NULL,
          sent_at BIGINT NOT NULL,
          client_time BIGINT NOT NULL,
          messages_so_far BIGINT NOT NULL,
          body MEDIUMTEXT ${TEXT},
          PRIMARY KEY (k, seq),
          UNIQUE KEY entry_client_id (k, sender, client_id)
        );
        CREATE TABLE IF NOT EXISTS device_cursor (
          user VARCHAR(64) ${TEXT},
          device VARCHAR(64) ${TEXT},
          k BINARY(16) NOT NULL,
          seq BIGINT NOT NULL,
          PRIMARY KEY (user, device, k)
        );
        CREATE TABLE IF NOT EXISTS journal_node (
          node BIGINT NOT NULL,
          pruned BIGINT NOT NULL,
          last_at BIGINT NOT NULL,
          PRIMARY KEY (node)
        );
        CREATE TABLE IF NOT EXISTS journal (
          node BIGINT NOT NULL,
          batch BIGINT NOT NULL,
          at BIGINT NOT NULL,
          news MEDIUMTEXT ${TEXT},
          PRIMARY KEY (node, batch)
        );
        CREATE TABLE IF NOT EXISTS journal_reader (
          name VARCHAR(255) ${TEXT},
          place TEXT ${TEXT},
          seen_at BIGINT NOT NULL,
          PRIMARY KEY (name)
        )`,
    },
    // One held the name of a device, but not the contract before it.
    {
      name: 'longer names of devices',
      sql: `ALTER TABLE device MODIFY device VARCHAR(128) ${TEXT}`,
    },
    {
      name: 'longer names of devices beside their cursors',
      sql: `ALTER TABLE device_cursor MODIFY device VARCHAR(128) ${TEXT}`,
    },
    {
      name: 'when a device was first seen',
      sql: 'ALTER TABLE device ADD COLUMN base_at BIGINT NOT NULL DEFAULT 0',
    },
    {
      name: 'when a device was last seen',
      sql: 'ALTER TABLE device ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0',
    },
    {
      name: 'devices that had cursors only',
      sql: 'INSERT IGNORE INTO device (user, device) SELECT DISTINCT user, device FROM device_cursor',
    },
    {
      name: 'the marks that a device has',
      sql: 'ALTER TABLE device_cursor ADD COLUMN marks_taken BIGINT NOT NULL DEFAULT 0',
    },
    {
      name: 'the revision of a member’s marks',
      sql: 'ALTER TABLE member ADD COLUMN marks_revision BIGINT NOT NULL DEFAULT 1',
    },
    {
      // A table of its own: a commit locks the rows of conversations, and marks are not to wait for it.
      name: 'the last revision of a conversation’s marks',
      sql: `
        CREATE TABLE IF NOT EXISTS conversation_marks (
          k BINARY(16) NOT NULL,
          revision BIGINT NOT NULL,
          PRIMARY KEY (k)
        )`,
    },
    {
      name: 'the epoch of the log',
      sql: `
        CREATE TABLE IF NOT EXISTS log_epoch (
          one BIGINT NOT NULL,
          epoch VARCHAR(64) ${TEXT},
          PRIMARY KEY (one)
        )`,
    },
    {
      name: 'the first epoch',
      sql: "INSERT IGNORE INTO log_epoch (one, epoch) VALUES (1, REPLACE(UUID(), '-', ''))",
    },
  ],
};
