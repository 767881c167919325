import type { Migration } from '#common/sqlite/open.ts';

/**
 * Friendships and chats are kept from both sides, so that one range of the primary key is one person's list.
 * A chat may be told of before its people are known, and so refers to nobody.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'people, friendships, requests, chats, feeds',
    sql: `
      CREATE TABLE person (
        username TEXT PRIMARY KEY,
        display_name TEXT NOT NULL,
        about TEXT NOT NULL DEFAULT '',
        avatar_url TEXT NOT NULL DEFAULT ''
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE term (
        term TEXT NOT NULL,
        username TEXT NOT NULL REFERENCES person,
        PRIMARY KEY (term, username)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX term_by_person ON term (username, term);

      CREATE TABLE friendship (
        username TEXT NOT NULL REFERENCES person,
        friend TEXT NOT NULL REFERENCES person,
        since INTEGER NOT NULL,
        PRIMARY KEY (username, friend)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE request (
        sender TEXT NOT NULL REFERENCES person,
        recipient TEXT NOT NULL REFERENCES person,
        since INTEGER NOT NULL,
        PRIMARY KEY (sender, recipient)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX request_outgoing ON request (sender, since DESC, recipient);
      CREATE INDEX request_incoming ON request (recipient, since DESC, sender);

      CREATE TABLE chatted (
        username TEXT NOT NULL,
        other TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (username, other)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX chatted_recently ON chatted (username, at DESC, other);

      CREATE TABLE feed (
        name TEXT PRIMARY KEY,
        cursor TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'how many friends everybody has, dismissed suggestions',
    sql: `
      ALTER TABLE person ADD COLUMN friends INTEGER NOT NULL DEFAULT 0;
      UPDATE person SET friends = (SELECT count(*) FROM friendship f WHERE f.username = person.username);
      CREATE TRIGGER friendship_begins AFTER INSERT ON friendship BEGIN
        UPDATE person SET friends = friends + 1 WHERE username = NEW.username;
      END;
      CREATE TRIGGER friendship_ends AFTER DELETE ON friendship BEGIN
        UPDATE person SET friends = friends - 1 WHERE username = OLD.username;
      END;

      CREATE TABLE dismissed (
        username TEXT NOT NULL REFERENCES person,
        other TEXT NOT NULL REFERENCES person,
        PRIMARY KEY (username, other)
      ) STRICT, WITHOUT ROWID;
    `,
  },
];
