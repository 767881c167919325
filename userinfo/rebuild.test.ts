import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { FolderInUseError } from '#common/data-folder.ts';
import { createLog } from '#common/log.ts';
import { emptyNeo4j } from './adapters/fixtures/neo4j.ts';
import { openNeo4jGraph } from './adapters/graph-neo4j.ts';
import { World } from './fixtures/world.ts';
import { rebuild } from './service.ts';

const NOON = Date.parse('2030-06-01T12:00:00.000Z');
const SERVER = process.env.TEST_NEO4J_URL;
const log = createLog('test', 'silent');

describe('rebuilding last chatted', () => {
  let world: World;

  const contacts = async (): Promise<string[]> =>
    (await world.as('ada', 'GET /chat?userid=ada')).body.contact_list_.map(
      (contact: { name: string }) => contact.name,
    );

  describe('in a file', () => {
    afterEach(() => world[Symbol.asyncDispose]());
    beforeEach(async () => {
      world = await World.start('ada', 'bob');
      world.messenger.commit(NOON, 'ada', 'bob');
      await world.messenger.allAcknowledged();
    });

    it('makes the next start read the feed of commits from its beginning', async () => {
      await world.stopUserinfo();
      assert.equal(await rebuild(world.config, log), 'at the next start');
      await world.startUserinfo();
      world.messenger.commit(NOON + 1, 'cyd', 'bob');
      await world.messenger.allAcknowledged();
      assert.deepEqual(
        world.messenger.opened.map(({ cursor }) => cursor),
        ['', ''],
      );
      assert.deepEqual(await contacts(), ['bob']);
    });

    it('is refused in plain words while a running userinfo holds it, and forgets nothing', async () => {
      await assert.rejects(rebuild(world.config, log), FolderInUseError);
      assert.deepEqual(await contacts(), ['bob']);
    });
  });

  if (SERVER === undefined)
    it('in Neo4j (none here: set TEST_NEO4J_URL, or run `npm run engines -- -- npm test`)');
  else describe('in Neo4j', () => inNeo4j(SERVER));

  function inNeo4j(server: string): void {
    afterEach(() => world[Symbol.asyncDispose]());
    beforeEach(async () => {
      await emptyNeo4j(server);
      world = await World.startOn(server, 'ada', 'bob');
      world.messenger.commit(NOON, 'ada', 'bob');
      await world.messenger.allAcknowledged();
      await using graph = await openNeo4jGraph(server);
      await graph.chatted([{ one: 'ada', other: 'ghost', at: NOON + 1 }], '');
      assert.deepEqual(await contacts(), ['ghost', 'bob']);
    });

    it('follows the feed from its beginning beside a running userinfo, and forgets what it does not tell', async () => {
      assert.deepEqual(await rebuild(world.config, log), { chats: 1 });
      assert.deepEqual(await contacts(), ['bob']);
      world.messenger.commit(NOON + 2, 'ada', 'cyd');
      await world.messenger.allAcknowledged();
      assert.deepEqual(await contacts(), ['cyd', 'bob']);
    });

    it('forgets nothing while the messenger is away', async () => {
      world.messenger.stop();
      await assert.rejects(rebuild(world.config, log));
      assert.deepEqual(await contacts(), ['ghost', 'bob']);
    });
  }
});
