import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until, World } from './fixtures/world.ts';

describe('people who register', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start('ada');
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const found = async (query: string): Promise<string[]> =>
    (await world.as('ada', `GET /chat/people?query=${query}`)).body.people.map(
      (person: { username: string }) => person.username,
    );

  it('are found as soon as the feed tells of them', async () => {
    world.authenticator.register('bob', 'Bob Bobson');
    assert.deepEqual(
      await until(
        () => found('bobson'),
        (names) => names.length > 0,
      ),
      ['bob'],
    );
  });

  it('are known at once, to others and themselves, when the feed lags', async () => {
    world.authenticator.isLagging = true;
    world.authenticator.register('bob', 'Bob');
    world.authenticator.register('cyd', 'Cyd');
    assert.equal((await world.as('bob', 'GET /chat/people/me')).body.display_name, 'Bob');
    assert.equal((await world.as('cyd', 'POST /chat/friends/requests', { username: 'bob' })).status, 201);
    assert.equal((await world.as('ada', 'POST /chat/friends/requests', { username: 'cyd' })).status, 201);
    assert.equal((await world.as('ada', 'GET /chat/people/cyd')).status, 200);
  });

  it('may change their name before the feed tells of them, and keep the change', async () => {
    world.authenticator.isLagging = true;
    world.authenticator.register('bob', 'Bob');
    await world.as('bob', 'PATCH /chat/people/me', { display_name: 'Robert' });
    world.authenticator.isLagging = false;
    world.authenticator.register('bob', 'Bob');
    world.authenticator.register('cyd', 'Later');
    await until(
      () => found('later'),
      (names) => names.length > 0,
    );
    assert.equal((await world.as('ada', 'GET /chat/people/bob')).body.display_name, 'Robert');
  });

  it('while we were stopped are known after the start; nobody is told of twice', async () => {
    await world.as('ada', 'PATCH /chat/people/me', { display_name: 'Countess' });
    await world.stopUserinfo();
    world.authenticator.register('bob', 'Bob');
    await world.startUserinfo();
    assert.deepEqual(
      await until(
        () => found('bob'),
        (names) => names.length > 0,
      ),
      ['bob'],
    );
    assert.equal((await world.as('bob', 'GET /chat/people/ada')).body.display_name, 'Countess');
  });

  it('a directory that does not answer is UNAVAILABLE, not "nobody", and shows nothing internal', async () => {
    world.authenticator.isBroken = true;
    const { status, headers, body } = await world.as('ada', 'GET /chat/people/bob');
    assert.equal(status, 503);
    assert.equal(headers.get('retry-after'), '1');
    assert.doesNotMatch(JSON.stringify(body), /directory|127\.0\.0\.1|no directory/);
  });

  it('are known though the feed tells of one before them who cannot be stored', async () => {
    world.authenticator.register('odd', 7 as unknown as string);
    world.authenticator.register('bob', 'Bob');
    assert.deepEqual(
      await until(
        () => found('bob'),
        (names) => names.length > 0,
      ),
      ['bob'],
    );
  });
});
