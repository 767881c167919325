import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { AccountStore, Attempt } from '../ports.ts';
import {
  account,
  GRACE_MS,
  idsOf,
  NOW,
  NOW_S,
  register,
  revoked,
  rotation,
  session,
} from './contract/samples.ts';

export interface SharedStore extends AsyncDisposable {
  /** Two nodes on the same data. */
  nodes: [AccountStore, AccountStore];
}

/** What an account store promises besides where several processes share it. */
export function sharedAccountStoreContract(name: string, open: () => Promise<SharedStore>): void {
  describe(`${name} keeps the promises of an account store to several nodes`, () => {
    let shared: SharedStore;
    let one: AccountStore;
    let other: AccountStore;
    beforeEach(async () => {
      shared = await open();
      [one, other] = shared.nodes;
    });
    afterEach(() => shared[Symbol.asyncDispose]());

    /** `count` calls at once, by turns on both nodes. */
    const onBoth = <T>(count: number, call: (store: AccountStore, i: number) => Promise<T>) =>
      Promise.all(Array.from({ length: count }, (_, i) => call(i % 2 === 0 ? one : other, i)));

    it('lets fifty refreshes of one token on both leave exactly one head', async () => {
      await register(one, 'ada');
      const answers = await onBoth(50, (store) => store.rotate(rotation('s-ada', 0)));
      for (const answer of answers) assert.deepEqual(answer, { username: 'ada', generation: 1 });
      assert.deepEqual(await other.rotate(rotation('s-ada', 1)), { username: 'ada', generation: 2 });
      assert.deepEqual(await revoked(one), []);
    });

    it('lets fifty late predecessors on both be forgiven once, for one head', async () => {
      await register(one, 'ada');
      await one.rotate(rotation('s-ada', 0));
      const late = NOW + GRACE_MS + 1;
      const answers = await onBoth(50, (store) => store.rotate(rotation('s-ada', 0, late)));
      for (const answer of answers) assert.deepEqual(answer, { username: 'ada', generation: 2 });
      assert.deepEqual(await other.rotate(rotation('s-ada', 2, late)), { username: 'ada', generation: 3 });
      assert.deepEqual(await revoked(one), []);
    });

    it('gives no token that outlives the revocation of its session, though a refresh and a logout meet', async () => {
      const names = Array.from({ length: 50 }, (_, i) => `u${i}`);
      await onBoth(50, (store, i) => register(store, names[i] ?? ''));
      const late = NOW_S + 5_000;
      const answers = await Promise.all(
        names.map(async (username) => {
          const [rotated] = await Promise.all([
            one.rotate({ ...rotation(`s-${username}`, 0), until: late }),
            other.endSessions({ username, now: NOW }),
          ]);
          return rotated;
        }),
      );
      const untils = new Map(
        (await one.revocationsAfter(0, 100)).map(({ sessionId, until }) => [sessionId, until]),
      );
      for (const [i, name] of names.entries())
        assert.equal(untils.get(`s-${name}`), answers[i] === undefined ? NOW_S + 900 : late, name);
    });

    it('gives a name that many want at once on both to one of them', async () => {
      for (let round = 0; round < 10; round++) {
        const name = `ada${round}`;
        const made = await onBoth(10, (store, i) =>
          store.createAccount(account(name), session(`${name}-${i}`, name), `home ${i}`),
        );
        assert.equal(made.filter(Boolean).length, 1);
        assert.deepEqual(await idsOf(one, name), [`${name}-${made.indexOf(true)}`]);
        const known = await onBoth(10, (store, i) => store.knows(name, `home ${i}`, NOW));
        assert.deepEqual(known, made);
      }
      assert.equal((await one.accountsAfter(0, 100)).length, 10);
    });

    it('tells accounts and revocations in the order of the commits, and skips none, though both commit at once', async () => {
      const names = Array.from({ length: 100 }, (_, i) => `u${i}`);
      const writing = onBoth(100, async (store, i) => {
        await register(store, names[i] ?? '');
        await store.endSessions({ username: names[i] ?? '', now: NOW });
      });
      const accounts = follow(100, async (after) =>
        (await other.accountsAfter(after, 3)).map(({ seq, username }) => ({ seq, what: username })),
      );
      const revocations = follow(100, async (after) =>
        (await one.revocationsAfter(after, 3)).map(({ seq, sessionId }) => ({ seq, what: sessionId })),
      );
      const [seenAccounts, seenRevocations] = await Promise.all([accounts, revocations, writing]);
      const seqs = Array.from({ length: 100 }, (_, i) => i + 1);
      for (const seen of [seenAccounts, seenRevocations])
        assert.deepEqual(
          seen.map(({ seq }) => seq),
          seqs,
        );
      assert.deepEqual(seenAccounts.map(({ what }) => what).toSorted(), names.toSorted());
      assert.deepEqual(
        seenRevocations.map(({ what }) => what).toSorted(),
        names.map((name) => `s-${name}`).toSorted(),
      );
      assert.deepEqual(await other.ends(), { accounts: 100, revocations: 100, forgotten: 0 });
    });

    it('lets as many attempts in as are free, whichever node is asked', async () => {
      const waits = await onBoth(50, (store) => store.admit(attempt()));
      assert.equal(waits.filter((wait) => wait === 0).length, 5);
      assert.ok((await one.admit(attempt())) > 0);
      await other.settle(attempt(), true);
      assert.equal(await one.admit(attempt()), 0);
      assert.equal(await one.knows('ada', 'home', NOW), true);
    });

    it('counts what comes in any order of its budgets without standing in its own way', async () => {
      const keys = Array.from({ length: 6 }, (_, i) => `budget ${i}`);
      const shuffled = (i: number) => [...keys.slice(i % 6), ...keys.slice(0, i % 6)];
      await onBoth(60, (store, i) => store.admit(attempt(shuffled(i), 1_000)));
      await onBoth(30, (store, i) => store.settle(attempt(shuffled(i)), false));
      for (const key of keys) {
        assert.equal(await one.admit(attempt([key], 31)), 0, key);
        assert.ok((await one.admit(attempt([key], 31))) > 0, key);
      }
    });

    it('ends each session once and lets no old password in, though logins, refreshes and logouts meet', async () => {
      await register(one, 'ada');
      const sweep = { now: NOW + 1_000_000, idleMs: 0 };
      await onBoth(60, async (store, i) => {
        if (i % 6 < 3) return store.openSession(session(`s${i}`, 'ada'), 'hash of ada');
        if (i % 6 === 3) return store.endSessions({ username: 'ada', now: NOW });
        if (i % 6 === 4) return store.rotate(rotation(`s${i - 4}`, 0));
        return store.dropIdle(sweep);
      });
      const changes = await onBoth(6, (store, i) =>
        store.changePassword({ username: 'ada', from: 'hash of ada', to: `${i}`, keep: '', now: NOW }),
      );
      assert.equal(changes.filter(Boolean).length, 1);
      assert.deepEqual(await idsOf(one, 'ada'), []);
      const ended = await revoked(other);
      assert.equal(new Set(ended).size, ended.length);
    });
  });
}

/** Reads a feed on and on until so many were told. */
async function follow<Line extends { seq: number }>(
  count: number,
  read: (after: number) => Promise<Line[]>,
): Promise<Line[]> {
  const seen: Line[] = [];
  while (seen.length < count) seen.push(...(await read(seen.at(-1)?.seq ?? 0)));
  return seen;
}

function attempt(keys = ['pair'], free = 5): Attempt {
  const budgets = keys.map((key) => ({ key, free, ceilingMs: 5_000 }));
  return { username: 'ada', address: 'home', budgets, now: NOW, forgetMs: 900_000 };
}
