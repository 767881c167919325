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
import { inOrder, newest, pairs } from './neo4j/batches.ts';
import { befriendIfAsked, deleted, friend, request } from './neo4j/between.ts';
import { BATCH_MS, Neo4j, type Tx } from './neo4j/connection.ts';
import { migrate } from './neo4j/migrate.ts';
import * as queries from './neo4j/queries.ts';
import { MIGRATIONS } from './neo4j/schema.ts';
import { suggestions } from './neo4j/suggestions.ts';
import { comparable } from './neo4j/terms.ts';
import { Neo4jTransfer } from './neo4j/transfer.ts';
import { listed, position } from './paging.ts';

export { mayPass } from './neo4j/errors.ts';

/** What one transaction takes of a batch. */
const AT_ONCE = 1_000;

/** Who asks whether we are ready does not want to wait for the answer. */
const PING_MS = 1_000;

/**
 * The graph in the Neo4j at `url`, with its schema at the newest step.
 * @throws ServiceError UNAVAILABLE when it does not answer or refuses us, see `mayPass`; Error when a newer program wrote it.
 */
export async function openNeo4jGraph(url: string): Promise<GraphNeo4j> {
  const neo4j = new Neo4j(url);
  try {
    await migrate(neo4j, MIGRATIONS);
    return new GraphNeo4j(neo4j);
  } catch (error) {
    await neo4j[Symbol.asyncDispose]();
    throw error;
  }
}

/** The same graph, to be moved. */
export async function openNeo4jTransfer(url: string): Promise<Neo4jTransfer> {
  const neo4j = new Neo4j(url);
  try {
    await migrate(neo4j, MIGRATIONS);
    return new Neo4jTransfer(neo4j, new GraphNeo4j(neo4j));
  } catch (error) {
    await neo4j[Symbol.asyncDispose]();
    throw error;
  }
}

export class GraphNeo4j implements Graph, AsyncDisposable {
  readonly #neo4j: Neo4j;

  constructor(neo4j: Neo4j) {
    this.#neo4j = neo4j;
  }

  async ping(): Promise<void> {
    await this.#neo4j.read((tx) => tx.run('RETURN 1 AS one'), PING_MS);
  }

  async cursor(feed: FeedName): Promise<string> {
    const [row] = await this.#read<{ cursor: string }>(queries.CURSOR, { feed });
    return row?.cursor ?? '';
  }

  async seed(people: readonly NamedPerson[], cursor?: string): Promise<void> {
    // Of one who is told of twice, the first: the second would change nothing.
    const once = new Map(
      people
        .toReversed()
        .map((person) => [person.username, { ...person, terms: person.terms.map(comparable) }]),
    );
    await this.#inBatches(
      inOrder([...once.values()], (person) => [person.username]),
      (tx, batch) => tx.run(queries.SEED, { people: batch }),
      async (tx) => cursor !== undefined && tx.run(queries.MOVE_CURSOR, { feed: 'accounts', cursor }),
    );
  }

  async person(username: string): Promise<Person | undefined> {
    return (await this.#read<Person>(queries.PERSON_BY_NAME, { username }))[0];
  }

  async describe(username: string, { terms, ...fields }: ProfileChange): Promise<Person | undefined> {
    return this.#neo4j.write(async (tx) => {
      await tx.run(queries.LOCK, { usernames: [username] });
      const [person] = await tx.run<Person>(queries.DESCRIBE, { username, fields });
      if (person === undefined || terms === undefined) return person;
      await tx.run(queries.FORGET_TERMS, { username });
      await tx.run(queries.FIND_BY, { username, terms: terms.map(comparable) });
      return person;
    });
  }

  async search(prefix: string, { limit, after }: Page): Promise<Listed<Person>> {
    const [from, username] = position(after, [comparable(prefix), '']);
    const found = await this.#read<Person & { term: string }>(queries.SEARCH, {
      prefix: comparable(prefix),
      from,
      username,
      limit: limit + 1,
    });
    const { items, next } = listed(found, limit, (row) => [row.term, row.username]);
    return { items: items.map(({ term: _, ...person }) => person), next };
  }

  async friends(username: string, { limit, after }: Page): Promise<Listed<Friend>> {
    const [friend] = position(after, ['']);
    const values = { username, after: friend, limit: limit + 1 };
    return listed(await this.#read<Friend>(queries.FRIENDS, values), limit, (row) => [row.username]);
  }

  async requests(
    username: string,
    direction: Direction,
    { limit, after }: Page,
  ): Promise<Listed<FriendRequest>> {
    const [since, other] = position(after, [Number.MAX_SAFE_INTEGER, '']);
    const values = { username, since, after: other, limit: limit + 1 };
    const rows = await this.#read<FriendRequest>(queries.REQUESTS[direction], values);
    return listed(rows, limit, (row) => [row.since, row.username]);
  }

  request(from: string, to: string, now: number): Promise<Asked> {
    return this.#between(from, to, async (tx) => {
      const before = await friend(tx, from, to);
      if (before !== undefined) return { outcome: 'friends before', friend: before };
      const made = await befriendIfAsked(tx, from, to, now);
      if (made !== undefined) return { outcome: 'friends now', friend: made };
      const asked = await request(tx, from, to);
      if (asked !== undefined) return { outcome: 'asked before', request: asked };
      await tx.run(queries.ASK, { username: from, other: to, now });
      const fresh = await request(tx, from, to);
      if (fresh === undefined) throw new Error('the request is not there after it was made');
      return { outcome: 'asked', request: fresh };
    });
  }

  accept(username: string, from: string, now: number): Promise<Friend | undefined> {
    return this.#between(
      username,
      from,
      async (tx) => (await friend(tx, username, from)) ?? (await befriendIfAsked(tx, username, from, now)),
    );
  }

  dismiss(username: string, other: string): Promise<boolean> {
    return this.#between(username, other, (tx) => deleted(tx, queries.FORGET_REQUESTS, username, other));
  }

  unfriend(username: string, other: string): Promise<boolean> {
    return this.#between(username, other, (tx) => deleted(tx, queries.UNFRIEND, username, other));
  }

  async befriend(friendships: readonly Friendship[]): Promise<void> {
    await this.#inBatches(pairs(friendships), (tx, batch) =>
      tx.run(queries.BEFRIEND, { friendships: batch }),
    );
  }

  async mutual(username: string, other: string, { limit, after }: Page): Promise<Listed<Known>> {
    const [friend] = position(after, ['']);
    const values = { username, other, after: friend, limit: limit + 1 };
    return listed(await this.#read<Known>(queries.MUTUAL, values), limit, (row) => [row.username]);
  }

  async mutualCount(username: string, other: string): Promise<number> {
    const [row] = await this.#read<{ count: number }>(queries.MUTUAL_COUNT, { username, other });
    return row?.count ?? 0;
  }

  suggestions(username: string, page: Page): Promise<Listed<Suggestion>> {
    return this.#neo4j.read((tx) => suggestions(tx, username, page));
  }

  async dismissSuggestion(username: string, other: string): Promise<void> {
    await this.#neo4j.write((tx) => tx.run(queries.DISMISS_SUGGESTION, { username, other }));
  }

  contacts(username: string, limit: number): Promise<Contact[]> {
    return this.#neo4j.read(async (tx) => {
      const recent = await tx.run<Contact>(queries.RECENT_CHATS, { username, limit });
      const rest = { username, limit: limit - recent.length };
      return [...recent, ...(await tx.run<Contact>(queries.FRIENDS_NEVER_CHATTED_WITH, rest))];
    });
  }

  async chatted(chats: readonly Chat[], cursor: string): Promise<void> {
    await this.#inBatches(
      newest(chats),
      (tx, batch) => tx.run(queries.CHATTED, { chats: batch }),
      async (tx) => cursor !== '' && tx.run(queries.MOVE_CURSOR, { feed: 'commits', cursor }),
    );
  }

  async forgetChats(): Promise<void> {
    await this.#neo4j.write((tx) => tx.run(queries.FORGET_CURSOR, { feed: 'commits' }));
    const some = (tx: Tx) => tx.run<{ deleted: number }>(queries.FORGET_SOME_CHATS, { limit: 10 * AT_ONCE });
    while (((await this.#neo4j.write(some, BATCH_MS))[0]?.deleted ?? 0) > 0);
  }

  #read<Row>(statement: string, values: Parameters<Tx['run']>[1] = {}): Promise<Row[]> {
    return this.#neo4j.read((tx) => tx.run<Row>(statement, values));
  }

  /** Runs `work` while nobody else changes anything between the two. */
  #between<T>(one: string, other: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#neo4j.write(async (tx) => {
      await tx.run(queries.LOCK, { usernames: [one, other].toSorted() });
      return work(tx);
    });
  }

  /** In transactions of a bounded size; what is to be done `last` goes with the last of them, never before it. */
  async #inBatches<Item>(
    items: readonly Item[],
    write: (tx: Tx, batch: Item[]) => Promise<unknown>,
    last?: (tx: Tx) => Promise<unknown>,
  ): Promise<void> {
    let from = 0;
    do {
      const batch = items.slice(from, from + AT_ONCE);
      from += AT_ONCE;
      await this.#neo4j.write(async (tx) => {
        if (batch.length > 0) await write(tx, batch);
        if (from >= items.length) await last?.(tx);
      }, BATCH_MS);
    } while (from < items.length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#neo4j[Symbol.asyncDispose]();
  }
}
