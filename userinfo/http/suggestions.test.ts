import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { World } from '../fixtures/world.ts';

describe('suggestions over HTTP', () => {
  let world: World;
  before(async () => {
    world = await World.start('ada', 'bob', 'cyd', 'dan', 'eve', 'fay');
    for (const [one, other] of [
      ['ada', 'bob'],
      ['ada', 'cyd'],
      ['dan', 'bob'],
      ['dan', 'cyd'],
      ['eve', 'cyd'],
    ] as const)
      await world.befriend(one, other);
  });
  after(() => world[Symbol.asyncDispose]());

  const suggested = async (username: string, query = '') =>
    (await world.as(username, `GET /chat/suggestions${query}`)).body;
  const dan = {
    username: 'dan',
    display_name: 'DAN',
    score: 500_000 + 333_333,
    friends_in_common: { count: 2, names: ['bob', 'cyd'] },
  };
  const eve = {
    username: 'eve',
    display_name: 'EVE',
    score: 333_333,
    friends_in_common: { count: 1, names: ['cyd'] },
  };

  it('are friends of friends with the reason, in pages', async () => {
    assert.deepEqual(await suggested('ada'), { suggestions: [dan, eve], next_page_token: '' });
    const first = await suggested('ada', '?page_size=1');
    assert.deepEqual(first.suggestions, [dan]);
    const second = await suggested('ada', `?page_size=1&page_token=${first.next_page_token}`);
    assert.deepEqual(second, { suggestions: [eve], next_page_token: '' });
    assert.equal(
      (await world.as('bob', `GET /chat/suggestions?page_token=${first.next_page_token}`)).status,
      400,
    );
  });

  it('leave out who was asked, until that is withdrawn', async () => {
    await world.as('ada', 'POST /chat/friends/requests', { username: 'dan' });
    assert.deepEqual((await suggested('ada')).suggestions, [eve]);
    await world.as('ada', 'DELETE /chat/friends/requests/dan');
    assert.deepEqual((await suggested('ada')).suggestions, [dan, eve]);
  });

  it('are dismissed for good, by one side only, and again without harm', async () => {
    assert.equal((await world.as('eve', 'DELETE /chat/suggestions/Ada')).status, 204);
    assert.equal((await world.as('eve', 'DELETE /chat/suggestions/ada')).status, 204);
    const names = (await suggested('eve')).suggestions.map((item: { username: string }) => item.username);
    assert.deepEqual(names, ['dan']);
    assert.deepEqual((await suggested('ada')).suggestions, [dan, eve]);
    assert.equal((await world.as('ada', 'DELETE /chat/suggestions/nobody')).status, 404);
    assert.equal((await world.as('ada', 'DELETE /chat/suggestions/ada')).status, 400);
    assert.equal((await world.as('ada', 'DELETE /chat/suggestions/a%20b')).status, 400);
  });

  it('friends in common are listed in pages, and counted', async () => {
    const mutual = async (query = '') => (await world.as('ada', `GET /chat/people/dan/mutual${query}`)).body;
    const bob = { username: 'bob', display_name: 'BOB' };
    const cyd = { username: 'cyd', display_name: 'CYD' };
    assert.deepEqual(await mutual(), { friends: [bob, cyd], count: 2, next_page_token: '' });
    const { next_page_token: token, ...first } = await mutual('?page_size=1');
    assert.deepEqual(first, { friends: [bob], count: 2 });
    const second = await mutual(`?page_size=1&page_token=${token}`);
    assert.deepEqual(second, { friends: [cyd], count: 2, next_page_token: '' });
    assert.deepEqual((await world.as('ada', 'GET /chat/people/fay/mutual')).body.friends, []);
    assert.equal((await world.as('ada', `GET /chat/people/eve/mutual?page_token=${token}`)).status, 400);
    assert.equal((await world.as('ada', 'GET /chat/people/nobody/mutual')).status, 404);
    assert.equal((await world.as('ada', 'GET /chat/people/ada/mutual')).status, 400);
  });

  it('need a token and know their methods', async () => {
    assert.equal((await world.call('GET /chat/suggestions')).status, 401);
    const { status, headers } = await world.as('ada', 'POST /chat/suggestions');
    assert.deepEqual([status, headers.get('allow')], [405, 'GET']);
  });
});
