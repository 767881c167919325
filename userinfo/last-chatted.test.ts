import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { World } from './fixtures/world.ts';

const NOON = Date.parse('2030-06-01T12:00:00.000Z');

describe('last chatted', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start('ada', 'bob');
    await world.befriend('ada', 'bob');
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const lastChatted = async (username: string): Promise<string> =>
    (await world.as(username, 'GET /chat/friends')).body.friends[0].last_chatted;

  it('follows the commits of a pair, for both, and never goes back', async () => {
    assert.equal(await lastChatted('ada'), '');
    world.messenger.commit(NOON, 'ada', 'bob');
    world.messenger.commit(NOON - 1, 'ada', 'bob');
    await world.messenger.allAcknowledged();
    assert.equal(await lastChatted('ada'), '2030-06-01T12:00:00.000Z');
    assert.equal(await lastChatted('bob'), '2030-06-01T12:00:00.000Z');
  });

  it('leaves notes to oneself and groups out', async () => {
    world.messenger.commit(NOON, 'ada');
    world.messenger.commit(NOON, 'ada', 'ada');
    world.messenger.commit(NOON, 'ada', 'bob', 'cyd');
    await world.messenger.allAcknowledged();
    assert.equal(await lastChatted('ada'), '');
    assert.equal((await world.as('ada', 'GET /chat?userid=ada')).body.contact_list_.length, 1);
  });

  it('catches up with what was committed while userinfo was stopped, from where it was', async () => {
    world.messenger.commit(NOON, 'ada', 'bob');
    await world.messenger.allAcknowledged();
    await world.stopUserinfo();
    world.messenger.commit(NOON + 1, 'ada', 'bob');
    await world.startUserinfo();
    await world.messenger.allAcknowledged();
    assert.equal(await lastChatted('ada'), '2030-06-01T12:00:00.001Z');
    assert.deepEqual(world.messenger.opened, [
      { reader: 'userinfo', cursor: '' },
      { reader: 'userinfo', cursor: '1' },
    ]);
  });

  it('goes on when the messenger comes back', async () => {
    world.messenger.commit(NOON, 'ada', 'bob');
    await world.messenger.allAcknowledged();
    world.messenger.stop();
    world.messenger.commit(NOON + 1, 'ada', 'bob');
    await world.messenger.listen();
    await world.messenger.allAcknowledged();
    assert.equal(await lastChatted('ada'), '2030-06-01T12:00:00.001Z');
  });

  it('takes a storm of commits in order, acknowledging only what is stored and less often than it comes', async () => {
    const commits = 3_000;
    for (let i = 1; i <= commits; i++)
      world.messenger.commit(NOON + i, 'ada', i === commits ? 'bob' : `p${i % 100}`);
    await world.messenger.allAcknowledged();
    assert.equal(await lastChatted('ada'), new Date(NOON + commits).toISOString());
    const acknowledged = world.messenger.acknowledged.map(Number);
    assert.deepEqual(
      acknowledged,
      acknowledged.toSorted((a, b) => a - b),
    );
    assert.ok(acknowledged.length < commits / 4, `${acknowledged.length} acknowledgements`);
  });

  it('goes on behind a commit with a time that no store could give back', async () => {
    world.messenger.commit(9e18, 'ada', 'bob');
    world.messenger.commit(NOON, 'ada', 'bob');
    await world.messenger.allAcknowledged();
    assert.equal(await lastChatted('ada'), '2030-06-01T12:00:00.000Z');
  });
});
