import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import type { Graph } from '../ports.ts';
import { named } from '../search-terms.ts';
import { emptyNeo4j, operatorsInNeo4j } from './fixtures/neo4j.ts';
import { graphContract } from './graph.contract.ts';
import { openNeo4jGraph } from './graph-neo4j.ts';
import { neo4jGraphSchema } from './graph-schema.ts';
import { Neo4j } from './neo4j/connection.ts';
import { mayPass } from './neo4j/errors.ts';
import { migrate } from './neo4j/migrate.ts';
import * as queries from './neo4j/queries.ts';
import { MIGRATIONS } from './neo4j/schema.ts';

const SERVER = process.env.TEST_NEO4J_URL;
const ALL = { limit: 100, after: '' };

if (SERVER === undefined) {
  describe('the graph in Neo4j', () => {
    it('passes the contract (no Neo4j here: set TEST_NEO4J_URL, or run `npm run engines -- -- npm test`)');
  });
} else withServer(SERVER);

function withServer(server: string): void {
  describe('the graph in Neo4j', () => {
    beforeEach(() => emptyNeo4j(server));

    describe('as every graph', () => graphContract(() => openNeo4jGraph(server)));
    describe('from two processes', () => twoProcesses(server));
    describe('schema', () => schema(server));
    describe('queries', () => plans(server));
    describe('refusals', () => refusals(server));
  });
}

function twoProcesses(server: string): void {
  it('two who ask each other at once, many times, are friends once', async () => {
    await using one = await openNeo4jGraph(server);
    await using two = await openNeo4jGraph(server);
    for (let round = 0; round < 10; round++) {
      const [ada, bob] = [`ada${round}`, `bob${round}`];
      await one.seed([named(ada, 'Ada'), named(bob, 'Bob')]);
      const outcomes = await Promise.all([
        one.request(ada, bob, 1),
        two.request(bob, ada, 1),
        two.request(ada, bob, 1),
        one.request(bob, ada, 1),
      ]);
      assert.equal(outcomes.filter(({ outcome }) => outcome === 'asked').length, 1);
      assert.equal(outcomes.filter(({ outcome }) => outcome === 'friends now').length, 1);
      assert.equal((await one.friends(ada, ALL)).items.length, 1);
      assert.deepEqual((await two.requests(bob, 'incoming', ALL)).items, []);
      assert.deepEqual((await two.requests(bob, 'outgoing', ALL)).items, []);
    }
  });

  it('the same request, acceptance and end of a friendship, at once, happen once', async () => {
    await using one = await openNeo4jGraph(server);
    await using two = await openNeo4jGraph(server);
    const both: Graph[] = [one, two, one, two];
    await one.seed([named('ada', 'Ada'), named('bob', 'Bob')]);
    const asked = await Promise.all(both.map((graph, i) => graph.request('ada', 'bob', i)));
    assert.equal(asked.filter(({ outcome }) => outcome === 'asked').length, 1);
    assert.equal((await two.requests('bob', 'incoming', ALL)).items.length, 1);
    const accepted = await Promise.all(both.map((graph, i) => graph.accept('bob', 'ada', i)));
    assert.equal(new Set(accepted.map((friend) => friend?.since)).size, 1);
    assert.equal((await two.friends('ada', ALL)).items.length, 1);
    const ended = await Promise.all(both.map((graph) => graph.unfriend('ada', 'bob')));
    assert.deepEqual(ended.toSorted(), [false, false, false, true]);
  });

  it('the same people and chats, told to both at once, are there once, with the newest time', async () => {
    await using one = await openNeo4jGraph(server);
    await using two = await openNeo4jGraph(server);
    const people = Array.from({ length: 50 }, (_, i) => named(`p${i}`, `Peter ${i}`));
    const chats = people.slice(1).map(({ username }, i) => ({ one: 'p0', other: username, at: i }));
    const later = chats.map((chat) => ({ ...chat, at: chat.at + 1_000 }));
    await Promise.all([
      one.chatted(later, 'm1'),
      two.chatted(chats.toReversed(), 'm1'),
      one.seed(people, 'a1'),
      two.seed(people.toReversed(), 'a1'),
    ]);
    assert.equal((await one.search('peter', ALL)).items.length, 50);
    const contacts = await two.contacts('p0', 100);
    assert.equal(contacts.length, 49);
    assert.ok(contacts.every(({ lastChatted }) => (lastChatted ?? 0) >= 1_000));
  });
}

function schema(server: string): void {
  it('is made once by many who start at once', async () => {
    const graphs = await Promise.all(Array.from({ length: 5 }, () => openNeo4jGraph(server)));
    for (const graph of graphs) await graph[Symbol.asyncDispose]();
    const steps = await neo4jGraphSchema(server).status();
    assert.deepEqual(
      steps.map(({ isApplied }) => isApplied),
      MIGRATIONS.map(() => true),
    );
    await using neo4j = new Neo4j(server);
    const [row] = await neo4j.read((tx) =>
      tx.run<{ steps: number }>('MATCH (m:Migration) WHERE m.number > 0 RETURN count(*) AS steps'),
    );
    assert.equal(row?.steps, MIGRATIONS.length);
  });

  it('shows what has not run, and changes nothing by that', async () => {
    const { status } = neo4jGraphSchema(server);
    for (let look = 0; look < 2; look++) assert.ok((await status()).every(({ isApplied }) => !isApplied));
  });

  it('of a newer program, or by other steps, is refused for good', async () => {
    await using neo4j = new Neo4j(server);
    await migrate(neo4j, [...MIGRATIONS, { name: 'of the future', sql: 'RETURN 1' }]);
    const refused = (pattern: RegExp) => (error: Error) => pattern.test(error.message) && !mayPass(error);
    await assert.rejects(openNeo4jGraph(server), refused(/written by a newer Chatterbox/));
    const [first, ...rest] = MIGRATIONS;
    const edited = [{ name: first?.name ?? '', sql: 'RETURN 2' }, ...rest, { name: '', sql: 'RETURN 1' }];
    await assert.rejects(migrate(neo4j, edited), refused(/step 1 of its schema/));
  });
}

function plans(server: string): void {
  it('begin at an index, never at everybody', async () => {
    await using _graph = await openNeo4jGraph(server);
    const { FORGET_SOME_CHATS: _, REQUESTS, ...others } = queries;
    for (const [name, statement] of Object.entries({ ...others, ...REQUESTS })) {
      const operators = (await operatorsInNeo4j(server, statement)).join(', ');
      assert.match(operators, /Index\w*Seek/, name);
      assert.doesNotMatch(operators, /LabelScan|AllNodesScan|TypeScan|IndexScan/, name);
    }
  });
}

function refusals(server: string): void {
  it('a wrong password does not pass by waiting; a server that is away does, told within seconds', async () => {
    const wrong = new URL(server);
    wrong.password = 'wrong';
    await assert.rejects(openNeo4jGraph(wrong.href), (error) => !mayPass(error));
    const away = new URL(server);
    away.port = '1';
    const began = performance.now();
    await assert.rejects(openNeo4jGraph(away.href), (error) => mayPass(error));
    assert.ok(performance.now() - began < 4_000);
  });
}
