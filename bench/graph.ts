import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hostInWorker } from '../common/sqlite/host.ts';
import { openNeo4jGraph } from '../userinfo/adapters/graph-neo4j.ts';
import { type Crowd, crowd, mulberry32 } from '../userinfo/fixtures/crowd.ts';
import type { Graph, Suggestion } from '../userinfo/ports.ts';

/**
 * `node bench/graph.ts [--people N] [--friends N] [--calls N]`: builds a crowd of people in every store of the graph (in Neo4j where
 * TEST_NEO4J_URL names an empty one), and measures how long suggestions take for people of about 150 friends. Ends with an error when two
 * stores answer differently.
 */
const { values: options } = parseArgs({
  options: {
    people: { type: 'string', default: '100000' },
    friends: { type: 'string', default: '50' },
    calls: { type: 'string', default: '500' },
  },
});

const PROBES = 100;
const FRIENDS_OF_PROBE = 150;
const LOADED_AT_ONCE = 10_000;
const WARM_UP = 50;
const PAGE = { limit: 20, after: '' };

const population = crowd({
  people: Number(options.people),
  friends: Number(options.friends),
  hubs: PROBES,
  friendsOfHub: FRIENDS_OF_PROBE,
  seed: 1,
});
console.log(
  `${population.people.length} people, ${population.friendships.length} friendships, ${PROBES} people with about ${FRIENDS_OF_PROBE}`,
);

const answers: Suggestion[][][] = [];
for (const [store, open] of Object.entries(stores())) {
  await using graph = await open();
  await report(store, 'loading', () => load(graph, population));
  answers.push(await measure(store, graph));
}
for (const other of answers.slice(1)) assert.deepEqual(other, answers[0], 'the stores answer differently');
console.log(answers.length > 1 ? 'All stores answer alike.' : 'One store only: set TEST_NEO4J_URL for both.');

function stores(): Record<string, () => Promise<Graph & AsyncDisposable>> {
  const url = process.env.TEST_NEO4J_URL;
  return {
    SQLite: openSqliteGraph,
    ...(url === undefined ? {} : { Neo4j: () => openNeo4jGraph(url) }),
  };
}

async function openSqliteGraph(): Promise<Graph & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  const module = new URL('../userinfo/adapters/graph-sqlite.ts', import.meta.url);
  const graph = await hostInWorker<Graph & AsyncDisposable>(module, join(folder, 'graph.sqlite'));
  const close = graph[Symbol.asyncDispose];
  return new Proxy(graph, {
    get(target, name) {
      if (name !== Symbol.asyncDispose) return Reflect.get(target, name);
      return async () => {
        await close();
        rmSync(folder, { recursive: true });
      };
    },
  });
}

async function load(graph: Graph, { people, friendships }: Crowd): Promise<void> {
  for (const batch of chunks(people)) await graph.seed(batch);
  // In order, which is how a store takes in many at once best.
  const inOrder = friendships.toSorted((a, b) => (a.one < b.one ? -1 : Number(a.one > b.one)));
  for (const batch of chunks(inOrder)) await graph.befriend(batch);
}

/** One call after the other, as people of whom none asks twice in a row. Returns the answers to each probe. */
async function measure(store: string, graph: Graph): Promise<Suggestion[][]> {
  const probe = (i: number) => graph.suggestions(`p${i % PROBES}`, PAGE);
  for (let i = 0; i < WARM_UP; i++) await probe(i);
  const random = mulberry32(2);
  const times: number[] = [];
  for (let i = 0; i < Number(options.calls); i++) {
    const began = performance.now();
    await probe(Math.floor(random() * PROBES));
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? 0).toFixed(1);
  console.log(`${store.padEnd(8)} suggestions   p50 ${at(0.5)} ms   p99 ${at(0.99)} ms`);
  const found: Suggestion[][] = [];
  for (let i = 0; i < PROBES; i++) found.push((await probe(i)).items);
  return found;
}

async function report(store: string, what: string, work: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await work();
  console.log(`${store.padEnd(8)} ${what.padEnd(12)} ${((performance.now() - began) / 1_000).toFixed(1)} s`);
}

function* chunks<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let from = 0; from < items.length; from += LOADED_AT_ONCE)
    yield items.slice(from, from + LOADED_AT_ONCE);
}
