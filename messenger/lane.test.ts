import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
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
  const clocks = { clock: () => 1, steady: () => 1 };
  return new Lane({ store, ...clocks, onCommitted: (entries) => committed.push(...entries) });
}

function submit(lane: Lane, given: Draft): Promise<Outcome> {
  return new Promise((committed, failed) => lane.submit(given, { committed, failed }));
}

function draft(body: string): Draft {
  const contentHash = '00'.repeat(16);
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
    const sends = ['1', '2', '3'].map((body) => submit(lane, draft(body)));
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
    const first = submit(lane, draft('1'));
    await turn();
    const rest = ['2', '3'].map((body) => submit(lane, draft(body)));
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
    const send = submit(lane, draft('1')).then(() => {
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
    const refused = submit(lane, draft('1'));
    await turn();
    const next = submit(lane, draft('2'));
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
    const lane = new Lane({ store, clock: () => 1, steady: () => now, onCommitted() {} });
    const sends = [submit(lane, draft('1'))];
    await turn();
    sends.push(submit(lane, draft('2')));
    now += 5_000;
    store.batches[0]?.release.reject(new ServiceError('UNAVAILABLE'));
    const outcomes = await Promise.allSettled(sends);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    const next = submit(lane, draft('3'));
    await turn();
    assert.equal(store.batches.length, 2, 'what was refused is not committed');
    store.release(1);
    await next;
  });

  for (const step of [3_600_000, -3_600_000])
    it(`refuses only the batch that failed where the clock was set by ${step / 60_000} min in its time`, async () => {
      const store = new HeldStore();
      let now = 10_000_000;
      const lane = new Lane({ store, clock: () => now, steady: () => 1, onCommitted() {} });
      const failing = submit(lane, draft('1'));
      await turn();
      const waiting = submit(lane, draft('2'));
      now += step;
      store.batches[0]?.release.reject(new ServiceError('UNAVAILABLE'));
      await assert.rejects(failing, ServiceError);
      await turn();
      store.release(1);
      assert.equal((await waiting).kind, 'committed');
    });

  it('tells of an entry that is dated before the one before it, by how much', async () => {
    const told: number[] = [];
    const outcome = { kind: 'committed', seq: 8, sentAt: 1, messagesSoFar: 8, datedBackMs: 70_000 } as const;
    const lane = new Lane({
      store: { commit: async () => [outcome] },
      clock: () => 1,
      steady: () => 1,
      onCommitted() {},
      onDatedBack: (byMs) => told.push(byMs),
    });
    await submit(lane, draft('1'));
    assert.deepEqual(told, [70_000]);
  });

  it('acknowledges batches in their order, also when two commits end in one turn of the event loop', async () => {
    const store = new HeldStore();
    const committed: Entry[] = [];
    const lane = laneOver(store, committed);
    const acknowledged: number[] = [];
    const send = (i: number) => submit(lane, draft(`${i}`)).then(() => acknowledged.push(i));
    const sends = [send(1)];
    await turn();
    sends.push(send(2));
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

  it('acknowledges a large batch in slices, each in a turn of the loop and in order', async () => {
    const store = new HeldStore();
    const committed: Entry[] = [];
    const lane = laneOver(store, committed);
    const seqs: number[] = [];
    for (let i = 0; i < 256; i++)
      lane.submit(draft(`${i}`), { committed: ({ seq }) => seqs.push(seq), failed: assert.fail });
    await turn();
    assert.equal(store.batches.length, 1);
    store.release(0);
    const told: number[] = [];
    for (let i = 0; i < 3; i++) {
      await turn();
      told.push(seqs.length);
      assert.equal(committed.length, seqs.length, 'told to followers before it is acknowledged');
    }
    assert.deepEqual(told, [0, 128, 256]);
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => a - b),
    );
  });

  it('waits for those who come a turn later where senders came together before, and for nobody else', async () => {
    const store = new HeldStore();
    const lane = laneOver(store);
    const batch = async (...bodies: string[]) => {
      const before = store.batches.length;
      const sends: Promise<Outcome>[] = [];
      for (const body of bodies) {
        sends.push(submit(lane, draft(body)));
        await turn();
      }
      for (let i = 0; i < 10; i++) await turn();
      for (let i = before; i < store.batches.length; i++) {
        store.release(i);
        await turn();
      }
      await Promise.all(sends);
      return store.batches.slice(before).map(({ drafts }) => drafts.map(({ body }) => body));
    };
    assert.deepEqual(await batch('1', '2', '3'), [['1'], ['2', '3']], 'the first was alone');
    assert.deepEqual(await batch('4', '5', '6'), [['4', '5', '6']], 'they came together before');
    assert.deepEqual(await batch('7'), [['7']]);
    assert.deepEqual(await batch('8', '9'), [['8'], ['9']], 'the last one was alone');
  });

  it('tells of what had been committed before, for nobody may have been told then', async () => {
    const places: unknown[] = [];
    const lane = new Lane({
      store: { commit: async () => [{ kind: 'duplicate', seq: 7, sentAt: 1, isSameContent: true }] },
      clock: () => 1,
      steady: () => 1,
      onCommitted: () => assert.fail('nothing is new'),
      onRepeated: (repeated) => places.push(...repeated),
    });
    const again = draft('again');
    await submit(lane, again);
    assert.deepEqual(places, [{ conversation: again.conversation, seq: 7 }]);
  });

  it('bounds a batch by its number of drafts and by its text', async () => {
    const store = new HeldStore();
    const lane = laneOver(store);
    const sends = Array.from({ length: 1_500 }, (_, i) => submit(lane, draft(String(i))));
    const large = Array.from({ length: 40 }, () => submit(lane, draft('x'.repeat(32_000))));
    await turn();
    for (let i = 0; i < store.batches.length; i++) {
      store.release(i);
      await turn();
    }
    await Promise.all([...sends, ...large]);
    assert.deepEqual(
      store.batches.map((b) => b.drafts.length),
      [512, 512, 258, 218 + 33, 7],
    );
  });

  it('refuses more than it can hold with OVERLOADED, and loses nothing of what it took', async () => {
    const store = new HeldStore();
    const lane = laneOver(store);
    const sends = Array.from({ length: 50_001 }, (_, i) => submit(lane, draft(String(i))));
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

  it('refuses only the draft that the store cannot take, however many share its batch', async () => {
    const committed: Entry[] = [];
    const store = storeRefusing(new Set(['7']));
    const lane = new Lane({
      store,
      clock: () => 1,
      steady: () => 1,
      onCommitted: (entries) => committed.push(...entries),
    });
    const bodies = Array.from({ length: 20 }, (_, i) => `${i}`);
    const outcomes = await Promise.allSettled(bodies.map((body) => submit(lane, draft(body))));
    assert.deepEqual(
      bodies.filter((_, i) => outcomes[i]?.status === 'rejected'),
      ['7'],
    );
    assert.deepEqual(
      committed.map(({ body }) => body),
      bodies.filter((body) => body !== '7'),
    );
  });

  it('commits and acknowledges the others in the order of the calls, whichever drafts are refused', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.record({ isBad: fc.boolean(), pauses: fc.boolean() })), async (sends) => {
        const committed: Entry[] = [];
        const bad = new Set(sends.flatMap(({ isBad }, i) => (isBad ? [`${i}`] : [])));
        const store = storeRefusing(bad);
        const lane = new Lane({
          store,
          clock: () => 1,
          steady: () => 1,
          onCommitted: (entries) => committed.push(...entries),
        });
        const acknowledged: string[] = [];
        const refused: string[] = [];
        const all: Promise<unknown>[] = [];
        for (const [i, { pauses }] of sends.entries()) {
          const sent = submit(lane, draft(`${i}`));
          all.push(
            sent.then(
              () => acknowledged.push(`${i}`),
              () => refused.push(`${i}`),
            ),
          );
          if (pauses) await turn();
        }
        await Promise.all(all);
        const good = sends.map((_, i) => `${i}`).filter((body) => !bad.has(body));
        assert.deepEqual(store.stored, good);
        assert.deepEqual(
          committed.map(({ body }) => body),
          good,
        );
        assert.deepEqual(acknowledged, good);
        assert.deepEqual(refused, [...bad]);
      }),
    ));

  it('commits nothing behind a batch before all of that batch is decided', async () => {
    const store = new HeldStore();
    const lane = laneOver(store);
    const sends = ['1', '2'].map((body) => submit(lane, draft(body)));
    await turn();
    sends.push(submit(lane, draft('3')));
    const settled = Promise.allSettled(sends);
    store.batches[0]?.release.reject(new Error('one of them is bad'));
    await turn();
    store.batches[1]?.release.reject(new Error('this one'));
    await turn();
    store.release(2);
    await turn();
    store.release(3);
    const outcomes = await settled;
    assert.deepEqual(
      store.batches.map(({ drafts }) => drafts.map(({ body }) => body)),
      [['1', '2'], ['1'], ['2'], ['3']],
    );
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'fulfilled', 'fulfilled'],
    );
  });
});

/** A store that refuses a batch for each of the bodies in it that are bad. */
function storeRefusing(bad: ReadonlySet<string>) {
  const stored: string[] = [];
  return {
    stored,
    async commit(drafts: Draft[]): Promise<Outcome[]> {
      if (drafts.some(({ body }) => bad.has(body))) throw new Error('data too long');
      return drafts.map(({ body }) => {
        const seq = stored.push(body);
        return { kind: 'committed', seq, sentAt: 1, messagesSoFar: seq };
      });
    },
  };
}
