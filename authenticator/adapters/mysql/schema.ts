import type { Schema } from '#common/mysql/migrate.ts';

/** The binary collation compares what was written, but for spaces at the end: see `exactly`. */
const TEXT = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL';

/**
 * Every name begins with `auth_`, so that the accounts may share a database with the messages. A session that has ended has no row; what
 * remains of it is its revocation. `auth_feed` has one row for each feed, with the last number that was given (see `feed.ts`)
 * and the greatest number of what was forgotten.
 */
export const SCHEMA: Schema = {
  part: 'authenticator',
  migrations: [
    {
      name: 'accounts, sessions, revocations and attempts',
      sql: `
        CREATE TABLE IF NOT EXISTS auth_account (
          username VARCHAR(64) ${TEXT},
          seq BIGINT NOT NULL,
          display_name VARCHAR(64) ${TEXT},
          password_hash VARCHAR(255) ${TEXT},
          created_at BIGINT NOT NULL,
          PRIMARY KEY (username),
          UNIQUE KEY auth_account_seq (seq)
        );
        CREATE TABLE IF NOT EXISTS auth_session (
          id VARCHAR(64) ${TEXT},
          username VARCHAR(64) ${TEXT},
          device VARCHAR(100) ${TEXT},
          created_at BIGINT NOT NULL,
          used_at BIGINT NOT NULL,
          generation BIGINT NOT NULL,
          token_hash VARCHAR(64) ${TEXT},
          previous_hash VARCHAR(64) ${TEXT},
          token_until BIGINT NOT NULL,
          PRIMARY KEY (id),
          KEY auth_session_of (username),
          KEY auth_session_used (used_at)
        );
        CREATE TABLE IF NOT EXISTS auth_revocation (
          seq BIGINT NOT NULL,
          session_id VARCHAR(64) ${TEXT},
          until BIGINT NOT NULL,
          PRIMARY KEY (seq),
          KEY auth_revocation_until (until)
        );
        CREATE TABLE IF NOT EXISTS auth_feed (
          name VARCHAR(16) ${TEXT},
          last_seq BIGINT NOT NULL,
          PRIMARY KEY (name)
        );
        CREATE TABLE IF NOT EXISTS auth_attempt (
          k BINARY(16) NOT NULL,
          tries BIGINT NOT NULL,
          last_at BIGINT NOT NULL,
          forget_at BIGINT NOT NULL,
          last_id BINARY(16) NOT NULL,
          PRIMARY KEY (k),
          KEY auth_attempt_forgotten (forget_at)
        );
        CREATE TABLE IF NOT EXISTS auth_known_address (
          username VARCHAR(64) ${TEXT},
          address VARCHAR(64) ${TEXT},
          used_at BIGINT NOT NULL,
          PRIMARY KEY (username, address),
          KEY auth_known_address_used (used_at)
        );
        INSERT INTO auth_feed (name, last_seq) VALUES ('accounts', 0), ('revocations', 0)
          ON DUPLICATE KEY UPDATE last_seq = last_seq`,
    },
    {
      name: 'how far revocations were forgotten',
      sql: 'ALTER TABLE auth_feed ADD COLUMN forgotten BIGINT NOT NULL DEFAULT 0',
    },
    {
      name: 'when the predecessor of a refresh token was forgiven',
      sql: 'ALTER TABLE auth_session ADD COLUMN forgiven_at BIGINT NOT NULL DEFAULT 0',
    },
  ],
};
