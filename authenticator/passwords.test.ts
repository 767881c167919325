import assert from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { openSqliteStore } from './adapters/accounts-sqlite.ts';
import { type Granted, PASSWORD, World } from './fixtures/world.ts';
import { acceptablePassword, PasswordHasher } from './passwords.ts';

const WEAKER = { memory: 8_192, passes: 1, parallelism: 1, tagLength: 32 };

describe('a password', () => {
  it('is hashed anew at the first login after the parameters were raised, and only then', async () => {
    await using world = await World.start({ hasher: new PasswordHasher(WEAKER) });
    const ada = await world.register('ada');
    assert.match(await storedHash(world), /^\$argon2id\$v=19\$m=8192,t=1,p=1\$/);
    world.hasher = new PasswordHasher();
    await world.start();
    assert.equal((await world.login('ada', 'a wrong one')).status, 401);
    assert.equal(world.hasher.hashes, 1);
    assert.equal((await world.login('ada', PASSWORD)).status, 200);
    assert.equal(world.hasher.hashes, 3);
    assert.equal((await world.login('ada', PASSWORD)).status, 200);
    assert.equal(world.hasher.hashes, 4);
    assert.equal((await world.refresh(ada.refresh_token)).status, 200);
    assert.match(await storedHash(world), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it('is the same however the keyboard composes its letters', async () => {
    await using world = await World.start();
    const password = 'ein schöner Tag';
    const register = { username: 'ada', password: password.normalize('NFD') };
    assert.equal((await world.call('POST', '/auth/register', { body: register })).status, 201);
    assert.equal((await world.login('ada', password.normalize('NFC'))).status, 200);
    assert.equal((await world.login('ada', password.toUpperCase())).status, 401);
  });

  it('has 8 to 256 characters, each counted once whatever bytes it takes', () => {
    for (const password of ['x'.repeat(7), '🦉'.repeat(7), 'x'.repeat(257), '🦉'.repeat(257)])
      assert.throws(() => acceptablePassword(password, 'ada', 'new'), { reason: 'INVALID_REQUEST' });
    for (const password of ['🦉🦊'.repeat(4), '🦉🦊'.repeat(128), '. . . . '])
      assert.equal(acceptablePassword(password, 'ada', 'new'), password);
  });

  it('that is one of the commonest is refused in any letters, and the field is named', () => {
    assert.throws(
      () => acceptablePassword('pAssWord1', 'ada', 'new'),
      (error: { fields?: { field: string }[] }) => error.fields?.[0]?.field === 'new',
    );
  });
});

describe('a password that nobody should choose', () => {
  for (const [why, says, passwords] of [
    [
      'repeats one character',
      'must not be one character repeated',
      ['aaaaaaaa', 'aAaAaAaA', '🦉'.repeat(20), 'é'.repeat(8), 'a\u200b'.repeat(4), 'aａ'.repeat(4)],
    ],
    [
      'is blank',
      'must not be blanks only',
      ['        ', '\u3000'.repeat(8), ' \u00a0\u2003 \u2800\u3164\u200b ', '\u200b'.repeat(9)],
    ],
    [
      'has control characters',
      'must not have control characters',
      ['with a\0 NUL', 'with a\u001b ESC', '\0'.repeat(8)],
    ],
    [
      'is the name of the service',
      'must not be the name of the service',
      ['ChatterBox', 'chatterbox2026!', '#chatter-box', 'chatterbox chatterbox', 'cһatterbox'],
    ],
    [
      'is one of the commonest',
      'is one of the commonest; choose another',
      ['１２３４５６７８', 'pass\u200bword'],
    ],
  ] as const)
    for (const password of passwords)
      it(`is refused where it ${why}: ${JSON.stringify(password)}`, async () => {
        await using world = await World.start();
        const refused = await world.call('POST', '/auth/register', { body: { username: 'ada', password } });
        assert.equal(refused.status, 400);
        const { errors } = (await refused.json()) as { errors: unknown };
        assert.deepEqual(errors, [{ field: 'password', detail: says }]);
        const { access_token: token } = await world.register('ada');
        const change = { token, body: { current: PASSWORD, new: password } };
        assert.equal((await world.call('POST', '/auth/password', change)).status, 400);
      });

  it('is refused for one repeated character, whatever its spelling', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
        fc.integer({ min: 8, max: 256 }),
        (one, times) => {
          fc.pre([...one.normalize('NFC')].length === 1);
          assert.throws(() => acceptablePassword(one.repeat(times), 'ada', 'new'), {
            reason: 'INVALID_REQUEST',
          });
        },
      ),
      { seed: 1 },
    );
  });
});

describe('a password change', () => {
  it('refuses a new one that nobody should choose, and changes nothing', async () => {
    await using world = await World.start();
    const { access_token: token } = await world.register('ada');
    const body = { current: PASSWORD, new: 'password1' };
    assert.equal((await world.call('POST', '/auth/password', { token, body })).status, 400);
    assert.equal((await world.login('ada', PASSWORD)).status, 200);
  });

  it('is throttled like a login: a stolen access token is no way to guess the password', async () => {
    await using world = await World.start();
    const { access_token: token } = await world.register('ada');
    const guess = { token, body: { current: 'a guess', new: 'another long one' } };
    for (let i = 0; i < 5; i++) assert.equal((await world.call('POST', '/auth/password', guess)).status, 401);
    assert.equal((await world.call('POST', '/auth/password', guess)).status, 429);
  });

  it('ends a session that a login with the old password opens at the same time', async () => {
    await using world = await World.start();
    const { access_token: token } = await world.register('ada');
    const body = { current: PASSWORD, new: 'another long one' };
    const [changed, ...logins] = await Promise.all([
      world.call('POST', '/auth/password', { token, body }),
      ...Array.from({ length: 4 }, () => world.login('ada', PASSWORD)),
    ]);
    assert.equal(changed.status, 204);
    for (const login of logins.filter(({ status }) => status === 200)) {
      const { access_token: late } = (await login.json()) as Granted;
      assert.equal((await world.call('GET', '/auth/me', { token: late })).status, 401);
    }
  });
});

/** As it is in the file, of a stopped authenticator. */
async function storedHash(world: World): Promise<string> {
  await world.stop();
  await using store = await openSqliteStore(join(world.dataDir, 'authenticator', 'accounts.db'));
  return (await store.account('ada'))?.passwordHash ?? '';
}
