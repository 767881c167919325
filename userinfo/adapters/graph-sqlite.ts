import type { DatabaseSync } from 'node:sqlite';
import type { Sync } from '#common/sqlite/host.ts';
import { openSqlite, transaction } from '#common/sqlite/open.ts';
import type {
  Asked,
  Chat,
  Contact,
  Direction,
  FeedName,
  Friend,
  FriendRequest,
  Friendship,
  Graph,
  Known,
  Listed,
  NamedPerson,
  Page,
  Person,
  ProfileChange,
  Suggestion,
} from '../ports.ts';
import { listed, position } from './paging.ts';
import * as queries from './sqlite/queries.ts';
import { MIGRATIONS } from './sqlite/schema.ts';
import { Statements } from './sqlite/statements.ts';
import { suggestions } from './sqlite/suggestions.ts';

/** For `hostInWorker`: the graph in the SQLite file at `path`. */
export function open(path: string): GraphSqlite {
  return new GraphSqlite(openSqlite(path, MIGRATIONS));
}

/** Greater than every text that begins with what it is appended to: the last code point there is. */
const LAST = '\u{10FFFF}';

export class GraphSqlite implements Sync<Graph> {
  readonly #db: DatabaseSync;
  readonly #statements: Statements;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#statements = new Statements(db);
  }

  close(): void {
    this.#db.close();
  }

  ping(): void {
    this.#statements.all('SELECT 1', {});
  }

  cursor(feed: FeedName): string {
    const [row] = this.#statements.all<{ cursor: string }>('SELECT cursor FROM feed WHERE name = :feed', {
      feed,
    });
    return row?.cursor ?? '';
  }

  seed(people: readonly NamedPerson[], cursor?: string): void {
    transaction(this.#db, () => {
      for (const { username, displayName, terms } of people) {
        const isNew = this.#statements.run(
          'INSERT INTO person (username, display_name) VALUES (:username, :displayName) ON CONFLICT DO NOTHING',
          { username, displayName },
        );
        if (isNew) this.#findBy(username, terms);
      }
      if (cursor !== undefined) this.#moveCursor('accounts', cursor);
    });
  }

  person(username: string): Person | undefined {
    return this.#statements.all<Person>(queries.PERSON_BY_NAME, { username })[0];
  }

  describe(username: string, change: ProfileChange): Person | undefined {
    return transaction(this.#db, () => {
      const person = this.person(username);
      if (person === undefined) return undefined;
      const { terms, ...fields } = change;
      const changed: Person = { ...person, ...fields };
      this.#statements.run(
        `UPDATE person SET display_name = :displayName, about = :about, avatar_url = :avatarUrl
         WHERE username = :username`,
        { ...changed },
      );
      if (terms !== undefined) {
        this.#statements.run('DELETE FROM term WHERE username = :username', { username });
        this.#findBy(username, terms);
      }
      return changed;
    });
  }

  search(prefix: string, { limit, after }: Page): Listed<Person> {
    const [from, username] = position(after, [prefix, '']);
    const found = this.#statements.all<Person & { term: string }>(queries.SEARCH, {
      prefix,
      end: prefix + LAST,
      from,
      username,
      limit: limit + 1,
    });
    const { items, next } = listed(found, limit, (row) => [row.term, row.username]);
    return { items: items.map(({ term: _, ...person }) => person), next };
  }

  friends(username: string, { limit, after }: Page): Listed<Friend> {
    const [friend] = position(after, ['']);
    const rows = this.#statements.all<Friend>(queries.FRIENDS, { username, after: friend, limit: limit + 1 });
    return listed(rows, limit, (row) => [row.username]);
  }

  requests(username: string, direction: Direction, { limit, after }: Page): Listed<FriendRequest> {
    const [since, other] = position(after, [Number.MAX_SAFE_INTEGER, '']);
    const rows = this.#statements.all<FriendRequest>(queries.REQUESTS[direction], {
      username,
      since,
      after: other,
      limit: limit + 1,
    });
    return listed(rows, limit, (row) => [row.since, row.username]);
  }

  request(from: string, to: string, now: number): Asked {
    return transaction(this.#db, () => {
      const before = this.#friend(from, to);
      if (before !== undefined) return { outcome: 'friends before', friend: before };
      const friend = this.#befriendIfAsked(from, to, now);
      if (friend !== undefined) return { outcome: 'friends now', friend };
      const isNew = this.#statements.run(
        'INSERT INTO request (sender, recipient, since) VALUES (:from, :to, :now) ON CONFLICT DO NOTHING',
        { from, to, now },
      );
      const [request] = this.#statements.all<FriendRequest>(queries.REQUEST, { from, to });
      if (request === undefined) throw new Error('the request is not there after it was made');
      return { outcome: isNew ? 'asked' : 'asked before', request };
    });
  }

  accept(username: string, from: string, now: number): Friend | undefined {
    return transaction(
      this.#db,
      () => this.#friend(username, from) ?? this.#befriendIfAsked(username, from, now),
    );
  }

  dismiss(username: string, other: string): boolean {
    return this.#statements.run(
      `DELETE FROM request
       WHERE (sender = :username AND recipient = :other) OR (sender = :other AND recipient = :username)`,
      { username, other },
    );
  }

  unfriend(username: string, other: string): boolean {
    return this.#statements.run(
      `DELETE FROM friendship
       WHERE (username = :username AND friend = :other) OR (username = :other AND friend = :username)`,
      { username, other },
    );
  }

  befriend(friendships: readonly Friendship[]): void {
    transaction(this.#db, () => {
      for (const { one, other, since } of friendships)
        this.#statements.run(queries.BEFRIEND, { one, other, since });
    });
  }

  mutual(username: string, other: string, { limit, after }: Page): Listed<Known> {
    const [friend] = position(after, ['']);
    const rows = this.#statements.all<Known>(queries.MUTUAL, {
      username,
      other,
      after: friend,
      limit: limit + 1,
    });
    return listed(rows, limit, (row) => [row.username]);
  }

  mutualCount(username: string, other: string): number {
    return this.#statements.all<{ count: number }>(queries.MUTUAL_COUNT, { username, other })[0]?.count ?? 0;
  }

  suggestions(username: string, page: Page): Listed<Suggestion> {
    return transaction(this.#db, () => suggestions(this.#statements, username, page));
  }

  dismissSuggestion(username: string, other: string): void {
    this.#statements.run(
      'INSERT INTO dismissed (username, other) VALUES (:username, :other) ON CONFLICT DO NOTHING',
      {
        username,
        other,
      },
    );
  }

  contacts(username: string, limit: number): Contact[] {
    const recent = this.#statements.all<Contact>(queries.RECENT_CHATS, { username, limit });
    const rest = limit - recent.length;
    return [
      ...recent,
      ...this.#statements.all<Contact>(queries.FRIENDS_NEVER_CHATTED_WITH, { username, limit: rest }),
    ];
  }

  chatted(chats: readonly Chat[], cursor: string): void {
    transaction(this.#db, () => {
      for (const { one, other, at } of chats) {
        this.#statements.run(queries.CHATTED, { one, other, at });
        this.#statements.run(queries.CHATTED, { one: other, other: one, at });
      }
      if (cursor !== '') this.#moveCursor('commits', cursor);
    });
  }

  forgetChats(): void {
    transaction(this.#db, () => {
      this.#statements.run("DELETE FROM feed WHERE name = 'commits'", {});
      this.#statements.run('DELETE FROM chatted', {});
    });
  }

  #befriendIfAsked(username: string, from: string, now: number): Friend | undefined {
    const isAsked =
      this.#statements.all('SELECT 1 FROM request WHERE sender = :from AND recipient = :username', {
        from,
        username,
      }).length > 0;
    if (!isAsked) return undefined;
    this.dismiss(username, from);
    this.#statements.run(queries.BEFRIEND, { one: username, other: from, since: now });
    return this.#friend(username, from);
  }

  #friend(username: string, friend: string): Friend | undefined {
    return this.#statements.all<Friend>(queries.FRIEND, { username, friend })[0];
  }

  #findBy(username: string, terms: readonly string[]): void {
    for (const term of terms) {
      this.#statements.run('INSERT INTO term (term, username) VALUES (:term, :username)', { term, username });
    }
  }

  #moveCursor(name: FeedName, cursor: string): void {
    this.#statements.run(
      'INSERT INTO feed (name, cursor) VALUES (:name, :cursor) ON CONFLICT DO UPDATE SET cursor = :cursor',
      { name, cursor },
    );
  }
}
