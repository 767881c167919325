import { NotEmptyError, type Progress, type Row, type Target } from '#common/transfer/transfer.ts';
import type { Chat, Friendship, Graph } from '../../ports.ts';
import { named } from '../../search-terms.ts';
import { BATCH_MS, type Neo4j, type Tx } from './connection.ts';

const PEOPLE_AT_ONCE = 500;
/** Where the graph takes one by one. */
const CALLS_AT_ONCE = 4;
/** For the note that says of the graph as a whole who claimed it, and whether it is finished. */
const GRAPH = '';

/** What is read from each person, so that reading pages follows the index of people. */
const READ: Record<string, string> = {
  person: `p.displayName IS NOT NULL AS wanted,
    [{username: p.username, display_name: p.displayName, about: p.about, avatar_url: p.avatarUrl}] AS rows`,
  friendship: `true AS wanted, COLLECT { MATCH (p)-[f:FRIEND]->(o) RETURN {one: p.username, other: o.username, since: f.since} } AS rows`,
  request: `true AS wanted, COLLECT { MATCH (p)-[r:ASKED]->(o) RETURN {sender: p.username, recipient: o.username, since: r.since} } AS rows`,
  dismissed: `true AS wanted, COLLECT { MATCH (p)-[:DISMISSED]->(o) RETURN {username: p.username, other: o.username} } AS rows`,
  chatted: `true AS wanted, COLLECT { MATCH (p)-[c:LAST_CHATTED]->(o) RETURN {one: p.username, other: o.username, at: c.at} } AS rows`,
};

const COLUMNS: Record<string, readonly string[]> = {
  person: ['username', 'display_name', 'about', 'avatar_url'],
  friendship: ['one', 'other', 'since'],
  request: ['sender', 'recipient', 'since'],
  dismissed: ['username', 'other'],
  chatted: ['one', 'other', 'at'],
  feed: ['name', 'cursor'],
};

/** The graph in a Neo4j, written through the methods that the service has, all of which may be repeated. */
export class Neo4jTransfer implements Target {
  readonly tables = Object.keys(COLUMNS);
  readonly #neo4j: Neo4j;
  readonly #graph: Graph;
  #exportId = '';

  constructor(neo4j: Neo4j, graph: Graph) {
    this.#neo4j = neo4j;
    this.#graph = graph;
  }

  /** Neo4j keeps these counts. */
  async estimate(): Promise<number> {
    const [row] = await this.#read<{ count: number }>(
      `RETURN COUNT { (:Person) } + COUNT { ()-[:FRIEND]->() } + COUNT { ()-[:ASKED]->() } + COUNT { ()-[:DISMISSED]->() }
        + COUNT { ()-[:LAST_CHATTED]->() } AS count`,
    );
    return row?.count ?? 0;
  }

  async *read(table: string): AsyncGenerator<Row[]> {
    if (table === 'feed') return yield await this.#feed();
    for (let after = ''; ; ) {
      const people = await this.#read<{ username: string; wanted: boolean; rows: Row[] }>(
        `MATCH (p:Person) WHERE p.username > $after WITH p ORDER BY p.username LIMIT ${PEOPLE_AT_ONCE}
         RETURN p.username AS username, ${READ[table]} ORDER BY username`,
        { after },
      );
      const last = people.at(-1);
      if (last === undefined) return;
      yield people.flatMap(({ wanted, rows }) => (wanted ? rows.map((row) => inOrder(table, row)) : []));
      after = last.username;
    }
  }

  async begin(exportId: string): Promise<Progress> {
    const notes = await this.#read<{ name: string; export: string; done: number }>(
      'MATCH (t:Transfer) RETURN t.name AS name, t.export AS export, t.done AS done',
    );
    this.#exportId = exportId;
    const own = notes.filter((note) => note.export === exportId);
    if (own.length === 0) await this.#claim();
    const done = new Map(own.map((note) => [note.name, note.done]));
    return { isFinished: (done.get(GRAPH) ?? 0) > 0, done };
  }

  async write(table: string, rows: readonly Row[], done: number): Promise<void> {
    await WRITE[table]?.(this.#graph, rows);
    await this.#note(table, done);
  }

  async finish(): Promise<void> {
    await this.#note(GRAPH, 1);
  }

  /** Rows are written before they are noted, so whoever goes on must know from the first one whose they are. */
  async #claim(): Promise<void> {
    const others = await this.#read(
      'MATCH (n) WHERE NOT n:Migration AND NOT n:Transfer RETURN 1 AS one LIMIT 1',
    );
    if (others.length > 0) throw new NotEmptyError(this.#neo4j.where, 'has nodes');
    await this.#neo4j.write((tx) => tx.run('MATCH (t:Transfer) DELETE t'));
    await this.#note(GRAPH, 0);
  }

  async #feed(): Promise<Row[]> {
    const cursor = await this.#graph.cursor('accounts');
    return cursor === '' ? [] : [{ name: 'accounts', cursor }];
  }

  async #note(name: string, done: number): Promise<void> {
    await this.#neo4j.write((tx) =>
      tx.run('MERGE (t:Transfer {name: $name}) SET t.export = $exportId, t.done = $done', {
        name,
        exportId: this.#exportId,
        done,
      }),
    );
  }

  #read<Item>(statement: string, values: Parameters<Tx['run']>[1] = {}): Promise<Item[]> {
    return this.#neo4j.read((tx) => tx.run<Item>(statement, values), BATCH_MS);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#neo4j[Symbol.asyncDispose]();
  }
}

const WRITE: Record<string, Writer> = {
  person: writer<PersonRow>(async (graph, people) => {
    await graph.seed(people.map(({ username, display_name }) => named(username, display_name)));
    const described = people.filter(({ about, avatar_url }) => about !== '' || avatar_url !== '');
    await eachOf(described, ({ username, about, avatar_url }) =>
      graph.describe(username, { about, avatarUrl: avatar_url }),
    );
  }),
  friendship: writer<Friendship>((graph, friendships) => graph.befriend(friendships)),
  request: writer<RequestRow>((graph, requests) =>
    eachOf(requests, ({ sender, recipient, since }) => graph.request(sender, recipient, since)),
  ),
  dismissed: writer<{ username: string; other: string }>((graph, rows) =>
    eachOf(rows, ({ username, other }) => graph.dismissSuggestion(username, other)),
  ),
  chatted: writer<Chat>((graph, chats) => graph.chatted(chats, '')),
  feed: writer<{ cursor: string }>(async (graph, [feed]) => {
    if (feed !== undefined) await graph.seed([], feed.cursor);
  }),
};

/** The rows of one table are of one shape. */
function writer<Item>(write: (graph: Graph, items: readonly Item[]) => Promise<unknown>): Writer {
  return (graph, rows) => write(graph, rows as readonly unknown[] as readonly Item[]);
}

async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < items.length; from += CALLS_AT_ONCE)
    await Promise.all(items.slice(from, from + CALLS_AT_ONCE).map(work));
}

/** A map of Neo4j has no order of its own. */
function inOrder(table: string, row: Row): Row {
  return Object.fromEntries((COLUMNS[table] ?? []).map((column) => [column, row[column] ?? '']));
}

type Writer = (graph: Graph, rows: readonly Row[]) => Promise<unknown>;

interface PersonRow {
  username: string;
  display_name: string;
  about: string;
  avatar_url: string;
}

interface RequestRow {
  sender: string;
  recipient: string;
  since: number;
}
