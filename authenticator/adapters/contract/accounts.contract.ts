import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'mocha';
import { LIMITS } from '../../limits.ts';
import { PasswordHasher } from '../../passwords.ts';
import { hashOf } from '../../tokens.ts';
import type { Subject } from '../accounts.contract.ts';
import { account, GRACE_MS, idsOf, NOW, register, revoked, rotation, session } from './samples.ts';

export function accountPromises({ store, reopen }: Subject): void {
  it('are found as they were made, with their first session, and after reopening', async () => {
    assert.equal(await store().createAccount(account('ada'), session('s1', 'ada'), 'home'), true);
    await reopen();
    assert.deepEqual({ ...(await store().account('ada')) }, account('ada'));
    assert.deepEqual(await idsOf(store(), 'ada'), ['s1']);
    assert.equal(await store().account('bob'), undefined);
  });

  it('keep every character of a name that people show', async () => {
    const displayName = 'Zoë 🦉 "’; DROP TABLE account; --';
    await store().createAccount({ ...account('zoe'), displayName }, session('s1', 'zoe'), 'home');
    assert.equal((await store().account('zoe'))?.displayName, displayName);
  });

  it('are told apart by every character of the username', async () => {
    for (const name of ['a.b', 'a-b', 'a_b', 'ab']) await register(store(), name);
    for (const name of ['a.b', 'a-b', 'a_b', 'ab'])
      assert.equal((await store().account(name))?.username, name);
    for (const other of ['a%b', 'ab ', 'AB', 'áb']) assert.equal(await store().account(other), undefined);
  });

  it('are never made twice: the first stays as it is, and the second leaves no session', async () => {
    await register(store(), 'ada');
    const second = { ...account('ada'), passwordHash: 'another' };
    assert.equal(await store().createAccount(second, session('s2', 'ada'), 'elsewhere'), false);
    assert.equal(await store().knows('ada', 'elsewhere', 0), false);
    assert.equal((await store().account('ada'))?.passwordHash, 'hash of ada');
    assert.deepEqual(await idsOf(store(), 'ada'), ['s-ada']);
  });

  it('are made once, though fifty ask for one name at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        store().createAccount(account('ada'), session(`s${i}`, 'ada'), 'home'),
      ),
    );
    assert.equal(made.filter(Boolean).length, 1);
    assert.deepEqual(await idsOf(store(), 'ada'), [`s${made.indexOf(true)}`]);
  });

  it('have their hash renewed only from what it was', async () => {
    await register(store(), 'ada');
    await store().replaceHash('ada', 'something else', 'lost');
    assert.equal((await store().account('ada'))?.passwordHash, 'hash of ada');
    await store().replaceHash('ada', 'hash of ada', 'renewed');
    assert.equal((await store().account('ada'))?.passwordHash, 'renewed');
  });

  it('open no session with a hash that was changed meanwhile, nor for nobody', async () => {
    await register(store(), 'ada');
    assert.equal(await store().openSession(session('s2', 'ada'), 'an older hash'), false);
    assert.equal(await store().openSession(session('s3', 'nobody'), 'hash of nobody'), false);
    assert.equal(await store().openSession(session('s4', 'ada'), 'hash of ada'), true);
    assert.deepEqual(new Set(await idsOf(store(), 'ada')), new Set(['s-ada', 's4']));
    assert.deepEqual(await idsOf(store(), 'nobody'), []);
  });

  it('change their password and end the other sessions together, or do neither', async () => {
    await register(store(), 'ada');
    await register(store(), 'bob');
    await store().openSession(session('s2', 'ada'), 'hash of ada');
    const change = { username: 'ada', from: 'wrong', to: 'new', keep: 's-ada', now: NOW };
    assert.equal(await store().changePassword(change), false);
    assert.equal((await idsOf(store(), 'ada')).length, 2);
    assert.deepEqual(await revoked(store()), []);
    assert.equal(await store().changePassword({ ...change, from: 'hash of ada' }), true);
    assert.equal((await store().account('ada'))?.passwordHash, 'new');
    assert.deepEqual(await idsOf(store(), 'ada'), ['s-ada']);
    assert.deepEqual(await idsOf(store(), 'bob'), ['s-bob']);
    assert.deepEqual(await revoked(store()), ['s2']);
  });

  it('change their password once, and let no login with the old one in, though all ask at once', async () => {
    await register(store(), 'ada');
    const change = (to: string) =>
      store().changePassword({ username: 'ada', from: 'hash of ada', to, keep: 's-ada', now: NOW });
    const [changes] = await Promise.all([
      Promise.all(['one', 'two', 'three'].map(change)),
      Promise.all(
        Array.from({ length: 20 }, (_, i) => store().openSession(session(`late ${i}`, 'ada'), 'hash of ada')),
      ),
    ]);
    assert.equal(changes.filter(Boolean).length, 1);
    assert.deepEqual(await idsOf(store(), 'ada'), ['s-ada']);
  });

  it('keep every text at its maximum, and the address that they were made from', async () => {
    const username = 'a'.repeat(LIMITS.username);
    const displayName = '\u{1f989}'.repeat(LIMITS.displayName);
    const device = '\u{1f989}'.repeat(LIMITS.device);
    const address = 'f'.repeat(LIMITS.address);
    const id = randomUUID();
    const longest = {
      ...account(username),
      displayName,
      passwordHash: await new PasswordHasher().hash('x'.repeat(64), {
        address: '192.0.2.1',
        account: 'ada',
        isKnown: false,
      }),
    };
    await store().createAccount(
      longest,
      session(id, username, { device, tokenHash: hashOf('token') }),
      address,
    );
    assert.deepEqual({ ...(await store().account(username)) }, longest);
    assert.equal((await store().session(id))?.device, device);
    assert.equal(await store().knows(username, address, NOW), true);
    const successorHash = hashOf('its successor');
    const rotated = await store().rotate({ ...rotation(id, 0), tokenHash: hashOf('token'), successorHash });
    assert.deepEqual({ ...rotated }, { username, generation: 1 });
    const late = rotation(id, 0, NOW + GRACE_MS + 1);
    const replacementHash = hashOf('its replacement');
    const forgiven = await store().rotate({
      ...late,
      tokenHash: hashOf('token'),
      successorHash,
      replacementHash,
    });
    assert.deepEqual({ ...forgiven }, { username, generation: 2 });
    assert.equal(await store().endSessions({ username, now: NOW }), 1);
    assert.deepEqual(await revoked(store()), [id]);
  });

  for (const number of [0, -1, 2 ** 53])
    it(`are listed after number ${number}, and their sessions found as of generation ${number}`, async () => {
      await register(store(), 'ada');
      assert.equal((await store().accountsAfter(number, 9)).length, number > 0 ? 0 : 1);
      assert.deepEqual(await store().revocationsAfter(number, 9), []);
      const rotated = await store().rotate({ ...rotation('s-ada', 0), generation: number });
      assert.deepEqual({ ...rotated }, { username: 'ada', generation: number === 0 ? 1 : undefined });
      assert.deepEqual(await store().sessions('bob', { now: number, idleMs: 1 }), []);
    });

  it('answer a check', async () => {
    await store().check();
  });
}
