import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import { Lane } from './lane.ts';
import type { Draft, Entry, Outcome } from './ports.ts';

/** A store whose commits wait until the test lets them go. */
class HeldStore {
  readonly batches: { drafts: Draft[]; release: PromiseWithResolvers<Outcome[]> }[] = [];
  #seq = 0;

  commit(drafts: Draft[]): Promise<Outcome[]> {
    const release = Promise.withResolvers<Outcome[]>();
    this.batches.push({ drafts, release });
    return release.promise;
  }

  /** Lets a batch commit. */
  release(index: number): void {
    const { drafts, release } = this.batches[index]!;
    release.resolve(
      drafts.map(() => ({ kind: 'committed', seq: ++this.#seq, sentAt: 1, messagesSoFar: this.#seq })),
    );
  }
}

function laneOver(store: HeldStore, committed: Entry[] = []): Lane {
  return new Lane({ store, clock: () => 1, onCommitted: (entries) => committed.push(...entries) });
}

function draft(body: string): Draft {
  const contentHash = new Uint8Array(16);
  return {
    conversation: 'a:b',
    members: ['a', 'b'],
    sender: 'a',
    clientId: body,
    contentHash,
    body,
    clientTime: 0n,
  };
}

describe('the lane', () => {
  it('commits together what is submitted in one turn of the loop', async () => {
    const store = new HeldStore();
    const lane = laneOver(store);
    const sends = ['1', '2', '3'].map((body) => lane.submit(draft(body)));
    await turn();
    assert.deepEqual(
      store.batches.map((b) => b.drafts.length),
      [3],
    );
    store.release(0);
    assert.deepEqual(
      (await Promise.all(sends)).map((o) => o.seq),
      [1, 2, 3],
    );
  });

  it('gathers the next batch while one is in flight, and keeps the order', async () => {
    const store = new HeldStore();
    const committed: Entry[] = [];
    const lane = laneOver(store, committed);
    const first = lane.submit(draft('1'));
    await turn();
    const rest = ['2', '3'].map((body) => lane.submit(draft(body)));
    await turn();
    assert.equal(store.batches.length, 1, 'one commit at a time');
    store.release(0);
    await first;
    assert.deepEqual(
      store.batches[1]?.drafts.map((d) => d.body),
      ['2', '3'],
    );
    store.release(1);
    await Promise.all(rest);
    assert.deepEqual(
      committed.map((e) => e.body),
      ['1', '2', '3'],
    );
  });

  it('acknowledges nothing before its commit', async () => {
    const store = new HeldStore();
    const lane = laneOver(store);
    let isAcknowledged = false;
    const send = lane.submit(draft('1')).then(() => {
      isAcknowledged = true;
    });
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(isAcknowledged, false);
    store.release(0);
    await send;
  });

  it('refuses a whole batch that the store refuses, tells nobody of it, and goes on', async () => {
    const store = new HeldStore();
    const committed: Entry[] = [];
    const lane = laneOver(store, committed);
    const refused = lane.submit(draft('1'));
    await turn();
    const next = lane.submit(draft('2'));
    store.batches[0]?.release.reject(new ServiceError('UNAVAILABLE'));
    await assert.rejects(refused, ServiceError);
    await turn();
    store.release(1);
    await next;
    assert.deepEqual(
      committed.map((e) => e.body),
      ['2'],
    );
  });

  it('refuses what has waited behind a batch that failed only after long, and goes on', async () => {
    const store = new HeldStore();
    let now = 1;
    const lane = new Lane({ store, clock: () => now, onCommitted() {} });
    const sends = [lane.submit(draft('1'))];
    await turn();
    sends.push(lane.submit(draft('2')));
    now += 5_000;
    store.batches[0]?.release.reject(new ServiceError('UNAVAILABLE'));
    const outcomes = await Promise.allSettled(sends);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    const next = lane.submit(draft('3'));
    await turn();
    assert.equal(store.batches.length, 2, 'what was refused is not committed');
    store.release(1);
    await next;
  });

  it('acknowledges batches in their order, also when two commits end in one turn of the event loop', async () => {
    const store = new HeldStore();
    const committed: Entry[] = [];
    const lane = laneOver(store, committed);
    const acknowledged: number[] = [];
    const submit = (i: number) => lane.submit(draft(`${i}`)).then(() => acknowledged.push(i));
    const sends = [submit(1)];
    await turn();
    sends.push(submit(2));
    store.release(0);
    await Promise.resolve();
    while (store.batches.length < 2) await Promise.resolve();
    store.release(1);
    await Promise.all(sends);
    assert.deepEqual(acknowledged, [1, 2]);
    assert.deepEqual(
      committed.map(({ body }) => body),
      ['1', '2'],
    );
  });

  it('tells of what had been committed before, for nobody may have been told then', async () => {
    const places: unknown[] = [];
    const lane = new Lane({
      store: { commit: async () => [{ kind: 'duplicate', seq: 7, sentAt: 1, isSameContent: true }] },
      clock: () => 1,
      onCommitted: () => assert.fail('nothing is new'),
      onRepeated: (repeated) => places.push(...repeated),
    });
    const again = draft('again');
    await lane.submit(again);
    assert.deepEqual(places, [{ conversation: again.conversation, seq: 7 }]);
  });

  it('bounds a batch by its number of drafts and by its text', async () => {
    const store = new HeldStore();
    const lane = laneOver(store);
    const sends = Array.from({ length: 600 }, (_, i) => lane.submit(draft(String(i))));
    const large = Array.from({ length: 40 }, () => lane.submit(draft('x'.repeat(32_000))));
    await turn();
    for (let i = 0; i < store.batches.length; i++) {
      store.release(i);
      await turn();
    }
    await Promise.all([...sends, ...large]);
    assert.deepEqual(
      store.batches.map((b) => b.drafts.length),
      [512, 88 + 33, 7],
    );
  });

  it('refuses more than it can hold with OVERLOADED, and loses nothing of what it took', async () => {
    const store = new HeldStore();
    const lane = laneOver(store);
    const sends = Array.from({ length: 50_001 }, (_, i) => lane.submit(draft(String(i))));
    await assert.rejects(
      sends[50_000]!,
      (error) => error instanceof ServiceError && error.reason === 'OVERLOADED',
    );
    await turn();
    for (let i = 0; i < store.batches.length; i++) {
      store.release(i);
      await turn();
    }
    assert.equal((await Promise.all(sends.slice(0, 50_000))).length, 50_000);
  });
});
