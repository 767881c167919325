import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
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
  Graph,
  Listed,
  NamedPerson,
  Page,
  Person,
  ProfileChange,
} from '../ports.ts';
import * as queries from './sqlite/queries.ts';
import { MIGRATIONS } from './sqlite/schema.ts';

/** For `hostInWorker`: the graph in the SQLite file at `path`. */
export function open(path: string): GraphSqlite {
  return new GraphSqlite(openSqlite(path, MIGRATIONS));
}

/** Greater than every text that begins with what it is appended to: the last code point there is. */
const LAST = '\u{10FFFF}';

export class GraphSqlite implements Sync<Graph> {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  close(): void {
    this.#db.close();
  }

  cursor(feed: FeedName): string {
    const [row] = this.#all<{ cursor: string }>('SELECT cursor FROM feed WHERE name = :feed', { feed });
    return row?.cursor ?? '';
  }

  seed(people: readonly NamedPerson[], cursor?: string): void {
    transaction(this.#db, () => {
      for (const { username, displayName, terms } of people) {
        const isNew = this.#run(
          'INSERT INTO person (username, display_name) VALUES (:username, :displayName) ON CONFLICT DO NOTHING',
          { username, displayName },
        );
        if (isNew) this.#findBy(username, terms);
      }
      if (cursor !== undefined) this.#moveCursor('accounts', cursor);
    });
  }

  person(username: string): Person | undefined {
    return this.#all<Person>(queries.PERSON_BY_NAME, { username })[0];
  }

  describe(username: string, change: ProfileChange): Person | undefined {
    return transaction(this.#db, () => {
      const person = this.person(username);
      if (person === undefined) return undefined;
      const { terms, ...fields } = change;
      const changed: Person = { ...person, ...fields };
      this.#run(
        `UPDATE person SET display_name = :displayName, about = :about, avatar_url = :avatarUrl
         WHERE username = :username`,
        { ...changed },
      );
      if (terms !== undefined) {
        this.#run('DELETE FROM term WHERE username = :username', { username });
        this.#findBy(username, terms);
      }
      return changed;
    });
  }

  search(prefix: string, { limit, after }: Page): Listed<Person> {
    const [from, username] = position(after, [prefix, '']);
    const found = this.#all<Person & { term: string }>(queries.SEARCH, {
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
    const rows = this.#all<Friend>(queries.FRIENDS, { username, after: friend, limit: limit + 1 });
    return listed(rows, limit, (row) => [row.username]);
  }

  requests(username: string, direction: Direction, { limit, after }: Page): Listed<FriendRequest> {
    const [since, other] = position(after, [Number.MAX_SAFE_INTEGER, '']);
    const rows = this.#all<FriendRequest>(queries.REQUESTS[direction], {
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
      const isNew = this.#run(
        'INSERT INTO request (sender, recipient, since) VALUES (:from, :to, :now) ON CONFLICT DO NOTHING',
        { from, to, now },
      );
      const [request] = this.#all<FriendRequest>(queries.REQUEST, { from, to });
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
    return this.#run(
      `DELETE FROM request
       WHERE (sender = :username AND recipient = :other) OR (sender = :other AND recipient = :username)`,
      { username, other },
    );
  }

  unfriend(username: string, other: string): boolean {
    return this.#run(
      `DELETE FROM friendship
       WHERE (username = :username AND friend = :other) OR (username = :other AND friend = :username)`,
      { username, other },
    );
  }

  contacts(username: string, limit: number): Contact[] {
    const recent = this.#all<Contact>(queries.RECENT_CHATS, { username, limit });
    const rest = limit - recent.length;
    return [...recent, ...this.#all<Contact>(queries.FRIENDS_NEVER_CHATTED_WITH, { username, limit: rest })];
  }

  chatted(chats: readonly Chat[], cursor: string): void {
    transaction(this.#db, () => {
      for (const { one, other, at } of chats) {
        this.#run(queries.CHATTED, { one, other, at });
        this.#run(queries.CHATTED, { one: other, other: one, at });
      }
      if (cursor !== '') this.#moveCursor('commits', cursor);
    });
  }

  #befriendIfAsked(username: string, from: string, now: number): Friend | undefined {
    const isAsked =
      this.#all('SELECT 1 FROM request WHERE sender = :from AND recipient = :username', { from, username })
        .length > 0;
    if (!isAsked) return undefined;
    this.dismiss(username, from);
    this.#run(
      `INSERT INTO friendship (username, friend, since)
       VALUES (:username, :from, :now), (:from, :username, :now)`,
      { username, from, now },
    );
    return this.#friend(username, from);
  }

  #friend(username: string, friend: string): Friend | undefined {
    return this.#all<Friend>(queries.FRIEND, { username, friend })[0];
  }

  #findBy(username: string, terms: readonly string[]): void {
    for (const term of terms) {
      this.#run('INSERT INTO term (term, username) VALUES (:term, :username)', { term, username });
    }
  }

  #moveCursor(name: FeedName, cursor: string): void {
    this.#run(
      'INSERT INTO feed (name, cursor) VALUES (:name, :cursor) ON CONFLICT DO UPDATE SET cursor = :cursor',
      { name, cursor },
    );
  }

  #all<Row>(sql: string, values: Values): Row[] {
    return this.#prepared(sql).all(values) as Row[];
  }

  /** Whether anything changed. */
  #run(sql: string, values: Values): boolean {
    return Number(this.#prepared(sql).run(values).changes) > 0;
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** A page from rows of which one more than `limit` was asked for. */
function listed<Row>(rows: Row[], limit: number, key: (row: Row) => SQLInputValue[]): Listed<Row> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: last !== undefined && rows.length > limit ? JSON.stringify(key(last)) : '' };
}

/** The key that a page ended with. */
function position<Key extends SQLInputValue[]>(after: string, start: [...Key]): [...Key] {
  return after === '' ? start : (JSON.parse(after) as [...Key]);
}

type Values = Record<string, SQLInputValue>;
