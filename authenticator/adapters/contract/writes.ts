import assert from 'node:assert/strict';
import type { AccountStore } from '../../ports.ts';
import { account, GRACE_MS, idsOf, NOW, register, revoked, rotation, session } from './samples.ts';

/** Each write of the port, so that it can be seen from outside whether it happened once. */
export const WRITES: Record<string, Write> = {
  'makes an account': {
    call: (store) => store.createAccount(account('ada'), session('s-ada', 'ada'), 'home'),
    async check(store, answer) {
      assert.equal(answer, true);
      assert.deepEqual(await idsOf(store, 'ada'), ['s-ada']);
      assert.deepEqual(await store.ends(), { accounts: 1, revocations: 0, forgotten: 0 });
    },
  },
  'opens a session': {
    prepare: (store) => register(store, 'ada'),
    call: (store) => store.openSession(session('s2', 'ada'), 'hash of ada'),
    async check(store, answer) {
      assert.equal(answer, true);
      assert.equal((await idsOf(store, 'ada')).length, 2);
    },
  },
  'takes a refresh token': {
    prepare: (store) => register(store, 'ada'),
    call: (store) => store.rotate(rotation('s-ada', 0)),
    async check(store, answer) {
      assert.deepEqual(answer, { username: 'ada', generation: 1 });
      assert.deepEqual(await store.rotate(rotation('s-ada', 1)), { username: 'ada', generation: 2 });
    },
  },
  'forgives the predecessor of a refresh token': {
    prepare: async (store) => {
      await register(store, 'ada');
      await store.rotate(rotation('s-ada', 0));
    },
    call: (store) => store.rotate(rotation('s-ada', 0, NOW + GRACE_MS + 1)),
    async check(store, answer) {
      assert.deepEqual(answer, { username: 'ada', generation: 2 });
      assert.equal((await store.session('s-ada'))?.forgivenAt, NOW + GRACE_MS + 1);
      assert.deepEqual(await store.rotate(rotation('s-ada', 2)), { username: 'ada', generation: 3 });
    },
  },
  'ends a session for an old refresh token': {
    prepare: async (store) => {
      await register(store, 'ada');
      for (const generation of [0, 1]) await store.rotate(rotation('s-ada', generation));
    },
    call: (store) => store.rotate(rotation('s-ada', 0)),
    async check(store, answer) {
      assert.deepEqual(answer, { username: 'ada', generation: undefined });
      assert.deepEqual(await revoked(store), ['s-ada']);
    },
  },
  'ends sessions': {
    prepare: async (store) => {
      await register(store, 'ada');
      await store.openSession(session('s2', 'ada'), 'hash of ada');
    },
    call: (store) => store.endSessions({ username: 'ada', now: NOW }),
    async check(store, answer) {
      assert.equal(answer, 2);
      assert.deepEqual((await revoked(store)).toSorted(), ['s-ada', 's2']);
      assert.equal((await store.ends()).revocations, 2);
    },
  },
  'changes a password': {
    prepare: async (store) => {
      await register(store, 'ada');
      await store.openSession(session('s2', 'ada'), 'hash of ada');
    },
    call: (store) =>
      store.changePassword({ username: 'ada', from: 'hash of ada', to: 'new', keep: 's2', now: NOW }),
    async check(store, answer) {
      assert.equal(answer, true);
      assert.equal((await store.account('ada'))?.passwordHash, 'new');
      assert.deepEqual(await idsOf(store, 'ada'), ['s2']);
      assert.deepEqual(
        (await store.revocationsAfter(0, 10)).map(({ seq }) => seq),
        [1],
      );
    },
  },
  'counts an attempt': {
    call: (store) => store.admit(ATTEMPT),
    async check(store, answer) {
      assert.equal(answer, 0);
      assert.equal(await store.admit(ATTEMPT), 0);
      assert.ok((await store.admit(ATTEMPT)) > 0);
    },
  },
  'takes an attempt back, or rather not at all,': {
    prepare: async (store) => {
      for (let i = 0; i < 2; i++) await store.admit(ATTEMPT);
    },
    call: (store) => store.settle(ATTEMPT, false),
    async check(store) {
      await store.admit(ATTEMPT);
      assert.ok((await store.admit(ATTEMPT)) > 0);
    },
  },
  'forgets the failures after a success': {
    prepare: async (store) => {
      for (let i = 0; i < 2; i++) await store.admit(ATTEMPT);
    },
    call: (store) => store.settle(ATTEMPT, true),
    async check(store) {
      for (let i = 0; i < 2; i++) assert.equal(await store.admit(ATTEMPT), 0);
      assert.ok((await store.admit(ATTEMPT)) > 0);
      assert.equal(await store.knows('ada', 'home', NOW), true);
    },
  },
};

const ATTEMPT = {
  username: 'ada',
  address: 'home',
  budgets: [{ key: 'pair', free: 2, ceilingMs: 5_000 }],
  now: NOW,
  forgetMs: 900_000,
};

interface Write {
  prepare?: (store: AccountStore) => Promise<void>;
  call(store: AccountStore): Promise<unknown>;
  check(store: AccountStore, answer: unknown): Promise<void>;
}
