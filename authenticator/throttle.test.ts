import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { hold } from './fixtures/held-queue.ts';
import { type Granted, PASSWORD, World } from './fixtures/world.ts';
import { HashQueue, QUEUE_LIMITS } from './hash-queue.ts';
import { PasswordHasher } from './passwords.ts';

const HOME = '192.0.2.1';
const HOUR_MS = 3_600_000;
/** One failure of a pair is free, ten of an address, twenty of an account. */
const ONE_FREE = { env: { CHATTERBOX_LOGIN_ATTEMPTS: '1' } };
/** For what is counted here, hashes need not cost anything. */
const CHEAP = { memory: 8, passes: 1, parallelism: 1, tagLength: 32 };
const CHEAPLY = { hasher: new PasswordHasher(CHEAP) };

describe('throttling', () => {
  let world: World;
  afterEach(() => world[Symbol.asyncDispose]());

  const statuses = async (answers: Promise<Response>[]) =>
    (await Promise.all(answers)).map(({ status }) => status);
  const change = (token: string, current: string, next: string) =>
    world.call('POST', '/auth/password', { token, body: { current, new: next } });

  it('slows an address that guesses at one account after another, and no other address', async () => {
    world = await World.start(ONE_FREE);
    await world.register('ada');
    const guesses = Array.from({ length: 10 }, (_, i) => world.login(`user${i}`, 'a guess', '198.51.100.1'));
    assert.deepEqual(new Set(await statuses(guesses)), new Set([401]));
    const hashes = world.hasher.hashes;
    const slowed = await world.login('ada', PASSWORD, '198.51.100.1');
    assert.equal(slowed.status, 429);
    assert.equal(world.hasher.hashes, hashes);
    assert.equal((await world.login('ada', PASSWORD, '198.51.100.2')).status, 200);
    world.pass(1_000);
    assert.equal((await world.login('ada', PASSWORD, '198.51.100.1')).status, 200);
  });

  it('slows guessing at one account from many addresses by 5 s at most, and never where its owner was before', async () => {
    world = await World.start(ONE_FREE);
    await world.register('ada');
    assert.equal((await world.login('ada', PASSWORD, HOME)).status, 200);
    for (let round = 0; round < 8; round++) {
      const answers: number[] = [];
      for (let i = 0; i < 20; i++)
        answers.push((await world.login('ada', 'a guess', `198.51.${100 + round}.${i}`)).status);
      assert.equal(answers.filter((status) => status === 401).length, round === 0 ? 20 : 1);
      world.pass(round === 0 ? 1_000 : 5_000);
    }
    world.now -= 5_000;
    const stranger = await world.login('ada', PASSWORD, '203.0.113.7');
    assert.equal(stranger.status, 429);
    assert.ok(Number(stranger.headers.get('retry-after')) <= 5);
    assert.equal((await world.login('ada', PASSWORD, HOME)).status, 200);
    world.pass(5_000);
    assert.equal((await world.login('ada', PASSWORD, '203.0.113.7')).status, 200);
  });

  it('lets a guesser behind the same address keep nobody away who was here before', async () => {
    world = await World.start(ONE_FREE);
    for (const name of ['ada', 'bob']) {
      await world.register(name);
      assert.equal((await world.login(name, PASSWORD, HOME)).status, 200);
    }
    for (let i = 0; i < 12; i++) await world.login(`user${i}`, 'a guess', HOME);
    for (let i = 0; i < 8; i++) {
      await world.login('ada', 'a guess', HOME);
      world.pass(5_000);
    }
    assert.equal((await world.login('bob', PASSWORD, HOME)).status, 200);
    assert.equal((await world.login('ada', 'a guess', HOME)).status, 401);
    const slowed = await world.login('ada', PASSWORD, HOME);
    assert.equal(slowed.status, 429);
    assert.ok(Number(slowed.headers.get('retry-after')) <= 5);
    world.pass(5_000);
    assert.equal((await world.login('ada', PASSWORD, HOME)).status, 200);
  });

  it('lets those in whom the address knows, from registering on, whoever fails at other accounts there', async () => {
    world = await World.start(ONE_FREE);
    await world.register('ada');
    await world.register('bob');
    for (let i = 0; i < 12; i++) await world.login(`user${i}`, 'a guess', HOME);
    assert.equal((await world.login('user12', PASSWORD, HOME)).status, 429);
    for (let i = 0; i < 2; i++) assert.equal((await world.login('ada', PASSWORD, HOME)).status, 200);
    await world.login('ada', 'a guess', HOME);
    assert.equal((await world.login('ada', PASSWORD, HOME)).status, 429);
    assert.equal((await world.login('bob', PASSWORD, HOME)).status, 200);
  });

  it('lets one guess in 5 s through at an account that the address knows, and the owner when they are next', async () => {
    world = await World.start(CHEAPLY);
    await world.register('ada');
    let guesses = 0;
    for (let second = 0; second < 600; second++) {
      if ((await world.login('ada', 'a guess', HOME)).status === 401) guesses++;
      world.pass(1_000);
    }
    assert.ok(guesses >= 118 && guesses <= 130, `${guesses} guesses in ten minutes`);
    const slowed = await world.login('ada', PASSWORD, HOME);
    const wait = slowed.status === 429 ? Number(slowed.headers.get('retry-after')) : 0;
    assert.ok(wait <= 5);
    world.pass(wait * 1_000);
    if (wait > 0) assert.equal((await world.login('ada', PASSWORD, HOME)).status, 200);
    assert.equal((await world.login('ada', 'a guess', HOME)).status, 401);
  });

  it('holds nobody up elsewhere, and no stranger there, for failures at an account that the address knows', async () => {
    world = await World.start(CHEAPLY);
    await world.register('ada');
    const elsewhere = { body: { username: 'bob', password: PASSWORD }, from: '203.0.113.7' };
    assert.equal((await world.call('POST', '/auth/register', elsewhere)).status, 201);
    for (let i = 0; i < 130; i++) {
      assert.equal((await world.login('ada', 'a guess', HOME)).status, 401);
      world.pass(5_000);
    }
    await world.login('ada', 'a guess', HOME);
    assert.equal((await world.login('bob', PASSWORD, HOME)).status, 200);
    assert.equal((await world.login('ada', PASSWORD, '203.0.113.7')).status, 200);
  });

  it('lets the password be changed within a session, whoever guesses at the same address', async () => {
    world = await World.start(ONE_FREE);
    const { access_token: token } = await world.register('ada');
    await world.login('ada', 'a guess', HOME);
    assert.equal((await world.login('ada', PASSWORD, HOME)).status, 429);
    assert.equal((await change(token, PASSWORD, 'another long one')).status, 204);
  });

  it('slows guesses at the current password by session, a minute at most, and no login or other session', async () => {
    world = await World.start(CHEAPLY);
    const { access_token: stolen } = await world.register('ada');
    const own = (await (await world.login('ada', PASSWORD)).json()) as Granted;
    for (let i = 0; i < 5; i++) assert.equal((await change(stolen, 'a guess', 'of the thief')).status, 401);
    const hashes = world.hasher.hashes;
    assert.equal((await change(stolen, 'a guess', 'of the thief')).status, 429);
    assert.equal(world.hasher.hashes, hashes);
    let guesses = 0;
    for (let second = 0; second < 600; second++) {
      if ((await change(stolen, 'a guess', 'of the thief')).status === 401) guesses++;
      world.pass(1_000);
    }
    assert.ok(guesses >= 10 && guesses <= 20, `${guesses} guesses in ten minutes`);
    assert.equal((await world.login('ada', PASSWORD)).status, 200);
    assert.equal((await change(own.access_token, PASSWORD, 'another long one')).status, 204);
    assert.equal((await change(stolen, 'another long one', 'of the thief')).status, 401);
  });

  it('goes on after a restart', async () => {
    world = await World.start(ONE_FREE);
    await world.register('ada');
    assert.equal((await world.login('ada', 'a guess')).status, 401);
    await world.stop();
    await world.start();
    assert.equal((await world.login('ada', PASSWORD)).status, 429);
  });

  it('does not hold it against anybody that too many hashes wait', async () => {
    const queue = new HashQueue();
    world = await World.start({ ...ONE_FREE, hasher: new PasswordHasher(CHEAP, queue) });
    await world.register('ada');
    const release = hold(queue);
    const others = Array.from({ length: QUEUE_LIMITS.perClass }, (_, i) =>
      queue.run({ address: `198.51.100.${i}`, account: `user${i}`, isKnown: true }, async () => {}),
    );
    const refused = await world.login('ada', PASSWORD);
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    await release();
    await Promise.all(others);
    assert.equal((await world.login('ada', PASSWORD)).status, 200);
  });

  it('counts failed logins from one IPv6 network of 64 bits together', async () => {
    world = await World.start(ONE_FREE);
    await world.register('ada');
    assert.equal((await world.login('ada', 'a guess', '2001:db8:1:2::1')).status, 401);
    assert.equal((await world.login('ada', PASSWORD, '2001:db8:1:2:ffff::2')).status, 429);
    assert.equal((await world.login('ada', PASSWORD, '2001:db8:1:3::1')).status, 200);
  });

  it('believes no X-Forwarded-For that an untrusted proxy has passed on', async () => {
    world = await World.start(ONE_FREE);
    await world.register('ada');
    const claiming = (i: number) => `203.0.113.${i}, 198.51.100.1`;
    assert.equal((await world.login('ada', 'a guess', claiming(1))).status, 401);
    assert.equal((await world.login('ada', 'a guess', claiming(2))).status, 429);
  });

  it('believes that of a trusted one, as far back as the first that is not', async () => {
    world = await World.start({
      env: { ...ONE_FREE.env, CHATTERBOX_TRUST_PROXY: '198.51.100.1, 10.0.0.0/8' },
    });
    await world.register('ada');
    const claiming = (lie: number, i: number) => `192.0.2.${lie}, 203.0.113.${i}, 10.1.2.3, 198.51.100.1`;
    assert.equal((await world.login('ada', 'a guess', claiming(1, 1))).status, 401);
    assert.equal((await world.login('ada', 'a guess', claiming(1, 2))).status, 401);
    assert.equal((await world.login('ada', 'a guess', claiming(2, 1))).status, 429);
  });

  it('lets one address register a thousand people within an hour, and then slows it', async () => {
    world = await World.start({ hasher: new PasswordHasher(CHEAP) });
    world.now = Math.ceil(world.now / HOUR_MS) * HOUR_MS;
    const register = (username: string, from = HOME) =>
      world.call('POST', '/auth/register', { body: { username, password: PASSWORD }, from });
    for (let i = 0; i < 1_000; i += 10) {
      const made = await statuses(Array.from({ length: 10 }, (_, j) => register(`u${i + j}`)));
      assert.deepEqual(new Set(made), new Set([201]));
    }
    const hashes = world.hasher.hashes;
    const slowed = await register('one-more');
    assert.equal(slowed.status, 429);
    assert.ok(Number(slowed.headers.get('retry-after')) >= 1);
    assert.equal(world.hasher.hashes, hashes);
    assert.equal((await register('elsewhere', '203.0.113.7')).status, 201);
    assert.equal((await world.login('u1', PASSWORD)).status, 200);
    world.pass(1_000);
    assert.equal((await register('one-more')).status, 201);
    assert.equal((await register('two-more')).status, 429);
    world.pass(HOUR_MS);
    assert.deepEqual(await statuses([register('two-more'), register('three-more')]), [201, 201]);
  });
});
