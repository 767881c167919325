import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { NotEmptyError, type Row, type Target } from '#common/transfer/transfer.ts';
import { emptyNeo4j } from './adapters/fixtures/neo4j.ts';
import { graphTarget } from './transfer.ts';

const NEO4J = process.env.TEST_NEO4J_URL ?? '';

const PEOPLE = ['ada', 'bob'].map((username) => ({
  username,
  display_name: username.toUpperCase(),
  about: username === 'ada' ? 'adds up' : '',
  avatar_url: '',
}));
const FRIENDSHIPS = [{ one: 'ada', other: 'bob', since: 5 }];

describe('a graph that is brought to Neo4j', function () {
  this.timeout(30_000);
  before(function () {
    if (NEO4J === '') this.skip();
    return emptyNeo4j(NEO4J);
  });
  after(() => (NEO4J === '' ? undefined : emptyNeo4j(NEO4J)));

  const open = () => graphTarget({ graphUrl: NEO4J, dataDir: '/nowhere' });
  const read = async (target: Target, table: string): Promise<Row[]> => {
    const all: Row[] = [];
    for await (const rows of target.read(table)) all.push(...rows);
    return all;
  };

  it('goes on where it was cut short, also between rows and the note of them, and takes rows again without harm', async () => {
    {
      await using target = await open();
      assert.deepEqual(await target.begin('one'), { isFinished: false, done: new Map() });
      // As if the process had ended before it could note them.
      await target.write('person', PEOPLE, 0);
    }
    await using target = await open();
    assert.deepEqual((await target.begin('one')).done.get('person'), 0);
    await target.write('person', PEOPLE, 2);
    await target.write('friendship', FRIENDSHIPS, 1);
    await target.write('friendship', FRIENDSHIPS, 1);
    assert.deepEqual(await read(target, 'person'), PEOPLE);
    assert.deepEqual(await read(target, 'friendship'), FRIENDSHIPS);
    await target.finish();
    const { isFinished, done } = await target.begin('one');
    assert.deepEqual([isFinished, done.get('person'), done.get('friendship')], [true, 2, 1]);
  });

  it('refuses another export, and leaves the graph as it is', async () => {
    await using target = await open();
    await assert.rejects(target.begin('another'), NotEmptyError);
    assert.deepEqual(await read(target, 'person'), PEOPLE);
    assert.equal((await target.begin('one')).isFinished, true);
  });
});
