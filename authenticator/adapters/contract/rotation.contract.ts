import assert from 'node:assert/strict';
import { it } from 'mocha';
import type { Subject } from '../accounts.contract.ts';
import {
  DAY_MS,
  FORGIVE_EVERY_MS,
  GRACE_MS,
  NOW,
  NOW_S,
  register,
  revoked,
  rotation,
  STANDING,
  session,
} from './samples.ts';

export function rotationPromises({ store, reopen }: Subject): void {
  it('takes one generation after another, and moves the time of the last use', async () => {
    await register(store(), 'ada');
    assert.deepEqual(await store().rotate(rotation('s-ada', 0, NOW + 1)), { username: 'ada', generation: 1 });
    await reopen();
    assert.deepEqual(await store().rotate(rotation('s-ada', 1, NOW + 2)), { username: 'ada', generation: 2 });
    assert.equal((await store().session('s-ada'))?.usedAt, NOW + 2);
    assert.equal((await store().session('s-ada'))?.createdAt, NOW);
  });

  it('gives fifty who present one token at once the same single successor', async () => {
    await register(store(), 'ada');
    const answers = await Promise.all(Array.from({ length: 50 }, () => store().rotate(rotation('s-ada', 0))));
    for (const answer of answers) assert.deepEqual(answer, { username: 'ada', generation: 1 });
    assert.deepEqual(await store().rotate(rotation('s-ada', 1)), { username: 'ada', generation: 2 });
    assert.deepEqual(await revoked(store()), []);
  });

  it('keeps fifty sessions that are refreshed at once apart', async () => {
    await register(store(), 'ada');
    const ids = Array.from({ length: 50 }, (_, i) => `s${i}`);
    await Promise.all(ids.map((id) => store().openSession(session(id, 'ada'), 'hash of ada')));
    const answers = await Promise.all(ids.map((id) => store().rotate(rotation(id, 0))));
    for (const answer of answers) assert.deepEqual(answer, { username: 'ada', generation: 1 });
  });

  it('gives the predecessor the same successor to the last millisecond of the grace', async () => {
    await register(store(), 'ada');
    await store().rotate(rotation('s-ada', 0));
    for (const now of [NOW + GRACE_MS / 2, NOW + GRACE_MS])
      assert.deepEqual(await store().rotate(rotation('s-ada', 0, now)), { username: 'ada', generation: 1 });
    assert.equal((await store().session('s-ada'))?.forgivenAt, 0);
    const late = await store().rotate(rotation('s-ada', 0, NOW + GRACE_MS + 1));
    assert.deepEqual(late, { username: 'ada', generation: 2 });
  });

  it('forgives the predecessor after the grace with a new generation, and says when', async () => {
    await register(store(), 'ada');
    await store().rotate(rotation('s-ada', 0));
    const late = NOW + 8 * DAY_MS;
    const forgiven = { username: 'ada', generation: 2 };
    assert.deepEqual(await store().rotate(rotation('s-ada', 0, late)), forgiven);
    await reopen();
    assert.equal((await store().session('s-ada'))?.forgivenAt, late);
    const [listed] = await store().sessions('ada', { ...STANDING, now: late });
    assert.equal(listed?.forgivenAt, late);
    // The answer to that may be lost, too.
    assert.deepEqual(await store().rotate(rotation('s-ada', 0, late + GRACE_MS)), forgiven);
    const next = await store().rotate(rotation('s-ada', 2, late + GRACE_MS + 1));
    assert.deepEqual(next, { username: 'ada', generation: 3 });
    assert.deepEqual(await revoked(store()), []);
  });

  it('forgives once in 24 hours, to the millisecond; a second time ends the session', async () => {
    const AGAIN = NOW + GRACE_MS + 1 + FORGIVE_EVERY_MS;
    for (const [name, at, generation] of [
      ['ada', AGAIN, 4],
      ['bob', AGAIN - 1, undefined],
    ] as const) {
      await register(store(), name);
      await store().rotate(rotation(`s-${name}`, 0));
      assert.equal((await store().rotate(rotation(`s-${name}`, 0, NOW + GRACE_MS + 1)))?.generation, 2);
      assert.equal((await store().rotate(rotation(`s-${name}`, 2, NOW + GRACE_MS + 2)))?.generation, 3);
      const second = await store().rotate(rotation(`s-${name}`, 2, at));
      assert.deepEqual(second, { username: name, generation });
    }
    assert.deepEqual(await revoked(store()), ['s-bob']);
  });

  it('ends the session for a token that was forgiven before, after the grace', async () => {
    await register(store(), 'ada');
    await store().rotate(rotation('s-ada', 0));
    assert.equal((await store().rotate(rotation('s-ada', 0, NOW + GRACE_MS + 1)))?.generation, 2);
    const again = await store().rotate(rotation('s-ada', 0, NOW + 3 * DAY_MS));
    assert.deepEqual(again, { username: 'ada', generation: undefined });
    assert.deepEqual(await revoked(store()), ['s-ada']);
  });

  it('ends the session by the third turn of a thief and the owner, however long they wait', async () => {
    for (const [name, wait] of [
      ['ada', GRACE_MS + 1],
      ['bob', DAY_MS],
      ['cat', 30 * DAY_MS],
    ] as const) {
      const id = `s-${name}`;
      await register(store(), name);
      // Both have the token of generation 0; each keeps what they are given.
      assert.equal((await store().rotate(rotation(id, 0)))?.generation, 1);
      assert.equal((await store().rotate(rotation(id, 0, NOW + wait)))?.generation, 2);
      const third = await store().rotate(rotation(id, 1, NOW + 2 * wait));
      assert.deepEqual(third, { username: name, generation: undefined });
      assert.equal(await store().session(id), undefined);
      assert.equal(await store().rotate(rotation(id, 2, NOW + 2 * wait)), undefined);
    }
  });

  it('gives fifty parallel refreshes with a late predecessor one head, and forgives it once', async () => {
    await register(store(), 'ada');
    await store().rotate(rotation('s-ada', 0));
    const late = NOW + GRACE_MS + 1;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => store().rotate(rotation('s-ada', 0, late))),
    );
    for (const answer of answers) assert.deepEqual(answer, { username: 'ada', generation: 2 });
    assert.deepEqual(await store().rotate(rotation('s-ada', 2, late)), { username: 'ada', generation: 3 });
    assert.deepEqual(await revoked(store()), []);
  });

  it('ends the session where the late predecessor and its successor come together', async () => {
    for (let i = 0; i < 20; i++) {
      const name = `ada${i}`;
      await register(store(), name);
      await store().rotate(rotation(`s-${name}`, 0));
      const late = NOW + GRACE_MS + 1;
      const [old, head] = await Promise.all([
        store().rotate(rotation(`s-${name}`, 0, late)),
        store().rotate(rotation(`s-${name}`, 1, late)),
      ]);
      // The second of them is an old token, whichever that is, and ends the session.
      const order = old?.generation === 2 ? [old, head] : [head, old];
      assert.deepEqual(order, [
        { username: name, generation: 2 },
        { username: name, generation: undefined },
      ]);
      assert.equal(await store().session(`s-${name}`), undefined);
    }
  });

  it('ends the session for an older token, and then for its head too; the others stay', async () => {
    await register(store(), 'ada');
    await store().openSession(session('s2', 'ada'), 'hash of ada');
    await store().rotate(rotation('s-ada', 0));
    await store().rotate(rotation('s-ada', 1));
    assert.equal((await store().rotate(rotation('s-ada', 0)))?.generation, undefined);
    assert.equal(await store().rotate(rotation('s-ada', 2)), undefined);
    assert.deepEqual(await revoked(store()), ['s-ada']);
    assert.ok(await store().session('s2'));
  });

  it('does not take a hash that is not the one it keeps, nor a generation to come', async () => {
    await register(store(), 'ada');
    await store().openSession(session('s2', 'ada'), 'hash of ada');
    const forged = await store().rotate({ ...rotation('s-ada', 0), tokenHash: 'forged' });
    assert.equal(forged?.generation, undefined);
    assert.equal((await store().rotate(rotation('s2', 7)))?.generation, undefined);
  });

  it('knows neither a session that never was nor one that cannot be refreshed', async () => {
    await register(store(), 'ada');
    await store().openSession(session('old app', 'ada', { tokenHash: '' }), 'hash of ada');
    assert.equal(await store().rotate(rotation('nowhere', 0)), undefined);
    assert.equal(await store().rotate(rotation('old app', 0)), undefined);
    assert.equal(await store().rotate({ ...rotation('old app', 0), tokenHash: '' }), undefined);
    assert.ok(await store().session('old app'));
  });

  it('moves `until` with every token given, a repeated one included, and never back', async () => {
    await register(store(), 'ada');
    await store().rotate({ ...rotation('s-ada', 0), until: NOW_S + 5_000 });
    await store().rotate({ ...rotation('s-ada', 0), until: NOW_S + 6_000 });
    await store().rotate({ ...rotation('s-ada', 1), until: NOW_S + 10 });
    await store().endSessions({ username: 'ada', now: NOW });
    const [revocation] = await store().revocationsAfter(0, 10);
    assert.equal(revocation?.until, NOW_S + 6_000);
  });

  it('ends a session either before a logout or by it, but never revives it', async () => {
    await register(store(), 'ada');
    await Promise.all([
      store().rotate(rotation('s-ada', 0)),
      store().endSessions({ username: 'ada', now: NOW }),
      store().rotate(rotation('s-ada', 0)),
    ]);
    assert.equal(await store().session('s-ada'), undefined);
    assert.equal(await store().rotate(rotation('s-ada', 1)), undefined);
    assert.deepEqual(await revoked(store()), ['s-ada']);
  });
}
