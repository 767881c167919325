import type { Migration } from '#common/sqlite/open.ts';

/** A session that has ended has no row; what remains of it is its revocation. */
export const MIGRATIONS: Migration[] = [
  {
    name: 'accounts, sessions, revocations and attempts',
    sql: `
      CREATE TABLE account (seq INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
        password_hash TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
      CREATE TABLE session (id TEXT PRIMARY KEY, username TEXT NOT NULL, device TEXT NOT NULL, created_at INTEGER NOT NULL,
        used_at INTEGER NOT NULL, generation INTEGER NOT NULL, token_hash TEXT NOT NULL, previous_hash TEXT NOT NULL,
        token_until INTEGER NOT NULL) STRICT;
      CREATE INDEX session_of ON session (username);
      CREATE TABLE revocation (seq INTEGER PRIMARY KEY, session_id TEXT NOT NULL, until INTEGER NOT NULL) STRICT;
      CREATE TABLE attempt (budget TEXT PRIMARY KEY, count INTEGER NOT NULL, last_at INTEGER NOT NULL) STRICT;
      CREATE INDEX attempt_age ON attempt (last_at);
      CREATE TABLE known_address (username TEXT NOT NULL, address TEXT NOT NULL, PRIMARY KEY (username, address)) STRICT;`,
  },
  {
    name: 'idle sessions are found, and every budget is forgotten in its own time',
    sql: `
      CREATE INDEX session_used ON session (used_at);
      DROP INDEX attempt_age;
      ALTER TABLE attempt ADD COLUMN forget_at INTEGER NOT NULL DEFAULT 0;
      CREATE INDEX attempt_forgotten ON attempt (forget_at);`,
  },
  {
    name: 'addresses that an account no longer uses are forgotten',
    sql: `
      ALTER TABLE known_address ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
      UPDATE known_address SET used_at = unixepoch() * 1000;
      CREATE INDEX known_address_used ON known_address (used_at);`,
  },
  {
    name: 'how far revocations were forgotten',
    sql: `
      CREATE TABLE forgotten (feed TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
      INSERT INTO forgotten (feed, seq) VALUES ('revocations', 0);
      CREATE INDEX revocation_until ON revocation (until);`,
  },
  {
    name: 'when the predecessor of a refresh token was forgiven',
    sql: 'ALTER TABLE session ADD COLUMN forgiven_at INTEGER NOT NULL DEFAULT 0;',
  },
];
