import assert from 'node:assert/strict';
import { it } from 'mocha';
import type { AccountStore } from '../../ports.ts';
import type { Subject } from '../accounts.contract.ts';
import { account, NOW, NOW_S, register, revoked, session } from './samples.ts';

const LATER = { now: NOW + 3_600_000, seconds: NOW_S + 3_600 };

export function feedPromises({ store, reopen }: Subject): void {
  const end = (username: string, now = NOW) => store().endSessions({ username, now });

  it('tell accounts in the order in which they were made, page by page', async () => {
    const names = Array.from({ length: 25 }, (_, i) => `u${24 - i}`);
    for (const name of names) await register(store(), name);
    assert.deepEqual(await readAccounts(store(), 7), names);
    assert.deepEqual(await readAccounts(store(), 1_000), names);
  });

  it('tell what an account is', async () => {
    await register(store(), 'ada');
    const [told] = await store().accountsAfter(0, 10);
    const { seq, ...rest } = told ?? { seq: 0 };
    assert.ok(seq > 0);
    assert.deepEqual(rest, account('ada'));
  });

  it('never show something behind a cursor that was already read, though many write at once', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `u${i}`);
    let isDone = false;
    const writing = Promise.all(names.map((name) => register(store(), name))).then(() => {
      isDone = true;
    });
    const seen: string[] = [];
    let cursor = 0;
    for (let last = false; !last; ) {
      last = isDone;
      for (const { seq, username } of await store().accountsAfter(cursor, 3)) {
        assert.ok(seq > cursor);
        cursor = seq;
        seen.push(username);
        last = false;
      }
    }
    await writing;
    assert.deepEqual(seen.toSorted(), names.toSorted());
    assert.deepEqual(seen, await readAccounts(store(), 1_000));
  });

  it('say how far they go, and go further with everything that is added', async () => {
    assert.deepEqual({ ...(await store().ends()) }, { accounts: 0, revocations: 0, forgotten: 0 });
    for (const name of ['ada', 'bob']) {
      await register(store(), name);
      await end(name);
      const { accounts, revocations } = await store().ends();
      assert.equal((await store().accountsAfter(0, 10)).at(-1)?.seq, accounts);
      assert.equal((await store().revocationsAfter(0, 10)).at(-1)?.seq, revocations);
    }
    await reopen();
    const before = await store().ends();
    assert.equal(await end('ada'), 0);
    assert.equal(await store().createAccount(account('ada'), session('s2', 'ada'), 'home'), false);
    assert.deepEqual({ ...(await store().ends()) }, { ...before });
  });

  it('go on from a cursor after reopening', async () => {
    await register(store(), 'ada');
    await register(store(), 'bob');
    const [first] = await store().accountsAfter(0, 1);
    const cursor = first?.seq ?? 0;
    await end('ada');
    const [revocation] = await store().revocationsAfter(0, 1);
    await reopen();
    await register(store(), 'cat');
    await end('bob');
    assert.deepEqual(
      (await store().accountsAfter(cursor, 10)).map(({ username }) => username),
      ['bob', 'cat'],
    );
    assert.deepEqual(
      (await store().revocationsAfter(revocation?.seq ?? 0, 10)).map(({ sessionId }) => sessionId),
      ['s-bob'],
    );
  });

  it('tell revocations in the order in which the sessions ended, with when their last token expires', async () => {
    for (const [i, name] of ['ada', 'bob', 'cat'].entries())
      await store().createAccount(
        account(name),
        session(`s-${name}`, name, { until: NOW_S + 100 * (i + 1) }),
        'home',
      );
    for (const name of ['cat', 'ada', 'bob']) await end(name);
    const told = await store().revocationsAfter(0, 10);
    assert.deepEqual(
      told.map(({ sessionId, until }) => [sessionId, until - NOW_S]),
      [
        ['s-cat', 300],
        ['s-ada', 100],
        ['s-bob', 200],
      ],
    );
    assert.equal((await store().revocationsAfter(0, 2)).length, 2);
  });

  it('tell of a session whose tokens had all expired when it ended, as if the last one expired then', async () => {
    await register(store(), 'ada');
    await end('ada', LATER.now);
    const [told] = await store().revocationsAfter(0, 10);
    assert.deepEqual([told?.sessionId, told?.until], ['s-ada', LATER.seconds]);
  });

  it('keep revocations until they are dropped, and tell how far that was done', async () => {
    for (const [i, name] of ['ada', 'bob', 'cat', 'dan'].entries()) {
      const valid = session(`s-${name}`, name, { until: NOW_S + ([900, 100, 5_000, 100][i] ?? 0) });
      await store().createAccount(account(name), valid, 'home');
      await end(name);
    }
    assert.equal(await store().dropRevocations(NOW_S + 100), 0);
    assert.equal((await store().ends()).forgotten, 0);
    assert.deepEqual(await revoked(store()), ['s-ada', 's-bob', 's-cat', 's-dan']);
    assert.equal(await store().dropRevocations(NOW_S + 101), 1);
    assert.equal((await store().ends()).forgotten, 2);
    assert.equal(await store().dropRevocations(NOW_S + 901), 1);
    await reopen();
    assert.equal((await store().ends()).forgotten, 2);
    assert.deepEqual(await revoked(store()), ['s-cat', 's-dan']);
  });

  it('are dropped a part at a time, and never the newest revocation', async () => {
    await register(store(), 'ada');
    for (let i = 0; i < 450; i++) await store().openSession(session(`s${i}`, 'ada'), 'hash of ada');
    await end('ada');
    const parts = [];
    for (let n = await drop(); n > 0; n = await drop()) parts.push(n);
    assert.ok(parts.length > 1);
    assert.equal(
      parts.reduce((sum, n) => sum + n, 0),
      450,
    );
    const { revocations, forgotten } = await store().ends();
    assert.deepEqual([revocations, forgotten], [451, 450]);
    assert.deepEqual(
      (await store().revocationsAfter(0, 10)).map(({ seq }) => seq),
      [451],
    );

    function drop(): Promise<number> {
      return store().dropRevocations(LATER.seconds);
    }
  });

  it('never give a cursor of the past again, though all of the past was forgotten', async () => {
    await register(store(), 'ada');
    await end('ada');
    const [old] = await store().revocationsAfter(0, 10);
    const cursor = old?.seq ?? 0;
    for (const name of ['bob', 'cat']) {
      await store().dropRevocations(LATER.seconds);
      const valid = session(`s-${name}`, name, { until: LATER.seconds + 60 });
      await store().createAccount(account(name), valid, 'home');
      await end(name, LATER.now);
      await reopen();
    }
    const told = await store().revocationsAfter(cursor, 10);
    assert.deepEqual(
      told.map(({ sessionId }) => sessionId),
      ['s-bob', 's-cat'],
    );
    assert.ok(told.every(({ seq }) => seq > cursor));
  });
}

async function readAccounts(store: AccountStore, page: number): Promise<string[]> {
  const names: string[] = [];
  let cursor = 0;
  for (let more = true; more; ) {
    const accounts = await store.accountsAfter(cursor, page);
    for (const { seq, username } of accounts) {
      names.push(username);
      cursor = seq;
    }
    more = accounts.length > 0;
  }
  return names;
}
