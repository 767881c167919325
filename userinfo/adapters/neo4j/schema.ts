import type { Migration } from '#common/migrations.ts';

/**
 * (:Person {username, displayName, about, avatarUrl}): somebody who was only chatted with has no displayName yet.
 * (:Person)-[:FOUND_BY]->(:Term {term, username}): what a search finds a person by, see terms.ts; the constraint's index is in the order of answers.
 * (:Person)-[:FRIEND {since}]->(:Person) and -[:LAST_CHATTED {at}]->: one for a pair, from the lower username to the higher one.
 * (:Person)-[:ASKED {since}]->(:Person), (:Person)-[:DISMISSED]->(:Person).
 * (:Feed {name, cursor}).
 *
 * A step may run again when it was cut short, so each statement must bear that (IF NOT EXISTS).
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'people, terms and feeds are unique',
    sql: `
      CREATE CONSTRAINT person_once IF NOT EXISTS FOR (p:Person) REQUIRE p.username IS UNIQUE;
      CREATE CONSTRAINT term_once IF NOT EXISTS FOR (t:Term) REQUIRE (t.term, t.username) IS UNIQUE;
      CREATE CONSTRAINT feed_once IF NOT EXISTS FOR (f:Feed) REQUIRE f.name IS UNIQUE
    `,
  },
];
