import assert from 'node:assert/strict';
import { it } from 'mocha';
import type { Subject } from '../accounts.contract.ts';
import {
  DAY_MS,
  IDLE_MS,
  idsOf,
  NOW,
  NOW_S,
  register,
  revoked,
  rotation,
  STANDING,
  session,
} from './samples.ts';

export function sessionPromises({ store, reopen }: Subject): void {
  const open = (id: string, username: string, more = {}) =>
    store().openSession(session(id, username, more), `hash of ${username}`);

  it('are found as they were opened, and after reopening', async () => {
    await register(store(), 'ada');
    await reopen();
    const wanted = {
      id: 's-ada',
      username: 'ada',
      device: 'phone s-ada',
      createdAt: NOW,
      usedAt: NOW,
      forgivenAt: 0,
    };
    assert.deepEqual({ ...(await store().session('s-ada')) }, wanted);
    assert.deepEqual(
      (await store().sessions('ada', STANDING)).map((one) => ({ ...one })),
      [wanted],
    );
    assert.equal(await store().session('s-bob'), undefined);
  });

  it('are listed the latest used first, each person’s own', async () => {
    await register(store(), 'ada');
    await register(store(), 'bob');
    await open('s2', 'ada', { now: NOW + 5 });
    await open('s3', 'ada', { now: NOW + 3 });
    await store().rotate(rotation('s-ada', 0, NOW + 4));
    assert.deepEqual(await idsOf(store(), 'ada'), ['s2', 's-ada', 's3']);
    assert.deepEqual(await idsOf(store(), 'bob'), ['s-bob']);
  });

  it('end alone, all but one, or all, and only their owner’s', async () => {
    await register(store(), 'ada');
    await register(store(), 'bob');
    for (const id of ['s2', 's3', 's4']) await open(id, 'ada');
    const end = (which: { only?: string; keep?: string }) =>
      store().endSessions({ username: 'ada', now: NOW, ...which });
    assert.equal(await end({ only: 's-bob' }), 0);
    assert.equal(await end({ only: 's2' }), 1);
    assert.equal(await end({ only: 's2' }), 0);
    assert.equal(await store().session('s2'), undefined);
    assert.equal(await end({ keep: 's3' }), 2);
    assert.deepEqual(await idsOf(store(), 'ada'), ['s3']);
    assert.equal(await end({}), 1);
    assert.deepEqual(await idsOf(store(), 'bob'), ['s-bob']);
    assert.deepEqual(new Set(await revoked(store())), new Set(['s-ada', 's2', 's3', 's4']));
  });

  it('end once, though fifty ask at once', async () => {
    await register(store(), 'ada');
    const ended = await Promise.all(
      Array.from({ length: 50 }, () => store().endSessions({ username: 'ada', now: NOW })),
    );
    assert.equal(
      ended.reduce((sum, n) => sum + n),
      1,
    );
    assert.deepEqual(await revoked(store()), ['s-ada']);
  });

  it('stand no longer once they were idle too long, and none is refreshed then', async () => {
    await register(store(), 'ada');
    await open('s2', 'ada');
    await store().rotate(rotation('s2', 0, NOW + DAY_MS));
    const last = { now: NOW + IDLE_MS, idleMs: IDLE_MS };
    assert.deepEqual(await idsOf(store(), 'ada', last), ['s2', 's-ada']);
    const late = { now: NOW + IDLE_MS + 1, idleMs: IDLE_MS };
    assert.deepEqual(await idsOf(store(), 'ada', late), ['s2']);
    assert.equal(await store().rotate(rotation('s-ada', 0, late.now)), undefined);
    assert.deepEqual(await store().rotate(rotation('s2', 1, late.now)), { username: 'ada', generation: 2 });
  });

  it('stand as long as their one token, when they cannot be refreshed', async () => {
    await register(store(), 'ada');
    await open('old app', 'ada', { tokenHash: '', until: NOW_S + 30 });
    const at = (now: number) => ({ now, idleMs: IDLE_MS });
    assert.ok((await idsOf(store(), 'ada', at(NOW + 29_999))).includes('old app'));
    assert.ok(!(await idsOf(store(), 'ada', at(NOW + 30_000))).includes('old app'));
  });

  it('are swept away when idle, whosever they are, without a revocation; the others stay', async () => {
    await register(store(), 'ada');
    await register(store(), 'bob');
    const late = { now: NOW + IDLE_MS + 1, idleMs: IDLE_MS };
    await open('used', 'ada', { now: NOW + DAY_MS });
    await open('still valid', 'ada', { until: NOW_S + IDLE_MS / 1000 + 60 });
    assert.equal(await store().dropIdle(STANDING), 0);
    assert.equal(await store().dropIdle(late), 2);
    assert.equal(await store().dropIdle(late), 0);
    assert.equal(await store().session('s-ada'), undefined);
    assert.equal(await store().session('s-bob'), undefined);
    assert.ok(await store().session('used'));
    assert.ok(await store().session('still valid'));
    assert.deepEqual(await revoked(store()), []);
  });

  it('are swept away a part at a time until none is left', async () => {
    await register(store(), 'ada');
    await Promise.all(Array.from({ length: 600 }, (_, i) => open(`s${i}`, 'ada')));
    const late = { now: NOW + IDLE_MS + 1, idleMs: IDLE_MS };
    const parts = [];
    for (let n = await store().dropIdle(late); n > 0; n = await store().dropIdle(late)) parts.push(n);
    assert.equal(
      parts.reduce((sum, n) => sum + n, 0),
      601,
    );
    assert.ok(parts.length > 1);
  });
}
