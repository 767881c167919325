import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { World } from '../fixtures/world.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('friends over HTTP', () => {
  let world: World;
  before(async () => {
    world = await World.start('ada', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gus');
  });
  after(() => world[Symbol.asyncDispose]());

  it('ask, see it on both sides, accept, be friends on both sides', async () => {
    const asked = await world.as('ada', 'POST /chat/friends/requests', { username: 'Bob' });
    assert.equal(asked.status, 201);
    assert.match(asked.body.since, TIME);
    const request = { display_name: 'BOB', since: asked.body.since, username: 'bob' };
    assert.deepEqual(asked.body, { ...request, status: 'requested' });

    const mine = await world.as('ada', 'GET /chat/friends/requests');
    assert.deepEqual(mine.body, {
      incoming: [],
      outgoing: [request],
      next_incoming_page_token: '',
      next_outgoing_page_token: '',
    });
    const theirs = await world.as('bob', 'GET /chat/friends/requests');
    assert.deepEqual(theirs.body.incoming, [
      { username: 'ada', display_name: 'ADA', since: asked.body.since },
    ]);
    assert.deepEqual(theirs.body.outgoing, []);

    const accepted = await world.as('bob', 'POST /chat/friends/requests/ada/accept');
    assert.equal(accepted.status, 200);
    assert.match(accepted.body.since, TIME);
    assert.deepEqual(accepted.body, {
      username: 'ada',
      display_name: 'ADA',
      since: accepted.body.since,
      last_chatted: '',
    });
    assert.deepEqual((await world.as('bob', 'GET /chat/friends')).body, {
      friends: [accepted.body],
      next_page_token: '',
    });
    const friends = (await world.as('ada', 'GET /chat/friends')).body.friends;
    assert.deepEqual(friends, [{ ...accepted.body, username: 'bob', display_name: 'BOB' }]);
    assert.deepEqual((await world.as('ada', 'GET /chat/friends/requests')).body.outgoing, []);
  });

  it('asking a friend is a conflict', async () => {
    await world.befriend('ada', 'gus');
    const { status, body } = await world.as('ada', 'POST /chat/friends/requests', { username: 'gus' });
    assert.equal(status, 409);
    assert.equal(body.reason, 'CONFLICT');
  });

  it('asking twice is asking once', async () => {
    const first = await world.as('cyd', 'POST /chat/friends/requests', { username: 'dan' });
    const second = await world.as('cyd', 'POST /chat/friends/requests', { username: '"Dan"' });
    assert.deepEqual([first.status, second.status], [201, 200]);
    assert.deepEqual(second.body, first.body);
    assert.equal((await world.as('dan', 'GET /chat/friends/requests')).body.incoming.length, 1);
  });

  it('two people who ask each other are friends at once', async () => {
    await world.as('cyd', 'POST /chat/friends/requests', { username: 'eve' });
    const crossing = await world.as('eve', 'POST /chat/friends/requests', { username: 'cyd' });
    assert.equal(crossing.status, 201);
    assert.equal(crossing.body.status, 'friends');
    assert.equal((await world.as('cyd', 'GET /chat/friends')).body.friends[0].username, 'eve');
    assert.deepEqual((await world.as('eve', 'GET /chat/friends/requests')).body.incoming, []);
  });

  it('asking oneself, nobody, or in no readable way is refused', async () => {
    const ask = (body: unknown) => world.as('ada', 'POST /chat/friends/requests', body);
    assert.equal((await ask({ username: 'ada' })).body.reason, 'INVALID_REQUEST');
    assert.equal((await ask({ username: 'nobody' })).status, 404);
    for (const body of [
      {},
      [],
      { username: 7 },
      { username: 'a b' },
      { username: 'eve', extra: 1 },
      'nonsense',
    ]) {
      const { status, headers } = await ask(body);
      assert.equal(status, 400, JSON.stringify(body));
      assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
    }
  });

  it('accepting what was not asked is NOT_FOUND, also for the one who asked', async () => {
    assert.equal((await world.as('ada', 'POST /chat/friends/requests/fay/accept')).status, 404);
    await world.as('ada', 'POST /chat/friends/requests', { username: 'fay' });
    assert.equal((await world.as('ada', 'POST /chat/friends/requests/fay/accept')).status, 404);
  });

  it('accepting again, after a lost answer, answers the same', async () => {
    await world.as('eve', 'POST /chat/friends/requests', { username: 'fay' });
    const first = await world.as('fay', 'POST /chat/friends/requests/eve/accept');
    const second = await world.as('fay', 'POST /chat/friends/requests/eve/accept');
    assert.deepEqual([first.status, second.status], [200, 200]);
    assert.deepEqual(second.body, first.body);
  });

  it('a request is declined or withdrawn once, and can then not be accepted', async () => {
    for (const [who, other] of [
      ['gus', 'eve'],
      ['eve', 'gus'],
    ] as const) {
      await world.as('eve', 'POST /chat/friends/requests', { username: 'gus' });
      assert.equal((await world.as(who, `DELETE /chat/friends/requests/${other}`)).status, 204);
      assert.equal((await world.as(who, `DELETE /chat/friends/requests/${other}`)).status, 404);
      assert.equal((await world.as('gus', 'POST /chat/friends/requests/eve/accept')).status, 404);
    }
  });

  it('a friendship ends for both, once', async () => {
    await world.befriend('dan', 'fay');
    assert.equal((await world.as('dan', 'DELETE /chat/friends/fay')).status, 204);
    assert.equal((await world.as('dan', 'DELETE /chat/friends/fay')).status, 404);
    const names = (await world.as('fay', 'GET /chat/friends')).body.friends.map(
      (friend: { username: string }) => friend.username,
    );
    assert.ok(!names.includes('dan'));
  });
});

describe('pages of friends and requests', () => {
  let world: World;
  const crowd = ['p1', 'p2', 'p3', 'p4', 'p5'];
  before(async () => {
    world = await World.start('ada', 'bob', ...crowd);
    for (const username of crowd) {
      await world.befriend('ada', username);
      await world.as(username, 'POST /chat/friends/requests', { username: 'bob' });
    }
  });
  after(() => world[Symbol.asyncDispose]());

  it('follow one another to the end', async () => {
    const { friends, next_page_token: token } = (await world.as('ada', 'GET /chat/friends?page_size=3')).body;
    assert.equal(friends.length, 3);
    const rest = (await world.as('ada', `GET /chat/friends?page_size=3&page_token=${token}`)).body;
    assert.equal(rest.next_page_token, '');
    const names = [...friends, ...rest.friends].map((friend) => friend.username);
    assert.deepEqual(names, crowd);
  });

  it('of one direction of requests, the newest first', async () => {
    const path = '/chat/friends/requests?page_size=3&direction=incoming';
    const first = (await world.as('bob', `GET ${path}`)).body;
    const token = first.next_incoming_page_token;
    const second = (await world.as('bob', `GET ${path}&page_token=${token}`)).body;
    assert.equal(second.next_incoming_page_token, '');
    const names = [...first.incoming, ...second.incoming].map((request) => request.username);
    assert.deepEqual(names, crowd.toReversed());
  });

  it('are refused for a token that is changed, of another list, or of another caller', async () => {
    const token: string = (await world.as('ada', 'GET /chat/friends?page_size=3')).body.next_page_token;
    const changed = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`;
    for (const [who, path] of [
      ['ada', `/chat/friends?page_token=${changed}`],
      ['ada', `/chat/friends?page_token=${token}!`],
      ['ada', '/chat/friends?page_token=x'],
      ['bob', `/chat/friends?page_token=${token}`],
      ['ada', `/chat/friends/requests?direction=incoming&page_token=${token}`],
      ['ada', `/chat/people?query=p&page_token=${token}`],
    ] as const) {
      const { status, body } = await world.as(who, `GET ${path}`);
      assert.equal(status, 400, path);
      assert.equal(body.errors[0].field, 'page_token', path);
    }
  });

  it('have 1 to 100 entries, and a token needs its direction', async () => {
    for (const query of [
      'page_size=0',
      'page_size=101',
      'page_size=x',
      'page_size=1.5',
      'page_size=1&page_size=2',
    ]) {
      assert.equal(
        (await world.as('ada', `GET /chat/friends?${query}`)).body.errors?.[0]?.field,
        'page_size',
        query,
      );
    }
    const { body } = await world.as('ada', 'GET /chat/friends/requests?page_token=abc');
    assert.equal(body.errors[0].field, 'direction');
  });
});
