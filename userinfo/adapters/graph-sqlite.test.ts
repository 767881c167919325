import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { hostInWorker } from '#common/sqlite/host.ts';
import type { Graph } from '../ports.ts';
import { named } from '../search-terms.ts';
import { graphContract } from './graph.contract.ts';
import { SEARCH } from './sqlite/queries.ts';

describe('the graph in SQLite', () => {
  let folder: string;
  const path = () => join(folder, 'graph.sqlite');
  const open = () => hostInWorker<Graph>(new URL('./graph-sqlite.ts', import.meta.url), path());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'graph-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  describe('as every graph', () => graphContract(open));

  it('keeps everything when it is opened again', async () => {
    {
      await using graph = await open();
      await graph.seed([named('ada', 'Ada'), named('bob', 'Bob')], 'a1');
      await graph.request('ada', 'bob', 1);
      await graph.chatted([{ one: 'ada', other: 'bob', at: 9 }], 'm1');
    }
    await using graph = await open();
    assert.equal(await graph.cursor('accounts'), 'a1');
    assert.equal(await graph.cursor('commits'), 'm1');
    assert.equal((await graph.accept('bob', 'ada', 2))?.lastChatted, 9);
  });

  it('stores a place in a feed with what was told up to there, or neither', async () => {
    await using graph = await open();
    const unstorable = { username: 'bob', displayName: 'Bob', terms: ['bob', 'bob'] };
    await assert.rejects(graph.seed([named('ada', 'Ada'), unstorable], 'a1'));
    assert.equal(await graph.person('ada'), undefined);
    assert.equal(await graph.cursor('accounts'), '');
    const chats = [
      { one: 'ada', other: 'bob', at: 1 },
      { one: 'ada', other: 'cyd', at: 0.5 },
    ];
    await assert.rejects(graph.chatted(chats, 'm1'));
    assert.deepEqual(await graph.contacts('ada', 10), []);
    assert.equal(await graph.cursor('commits'), '');
  });

  it('searches by index, never by reading everybody', async () => {
    await (await open())[Symbol.asyncDispose]();
    const db = new DatabaseSync(path());
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${SEARCH}`).all({
      prefix: 'a',
      end: 'b',
      from: 'a',
      username: '',
      limit: 10,
    }) as { detail: string }[];
    db.close();
    const text = plan.map(({ detail }) => detail).join('\n');
    assert.match(text, /SEARCH t USING PRIMARY KEY \(term>\? AND term<\?\)/);
    assert.doesNotMatch(text, /SCAN|TEMP B-TREE/);
  });
});
