import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { Bus } from '#common/bus/bus.ts';
import { LocalBus } from '#common/bus/local.ts';
import { FeedWatch } from './feed-watch.ts';
import { log } from './fixtures/world.ts';
import type { Signal } from './signal.ts';

describe('the watch for what other authenticators commit', () => {
  let ends: { accounts: number; revocations: number };
  let looks: number;
  let other: Bus;
  let watch: FeedWatch;
  let store: { ends(): Promise<typeof ends> };
  beforeEach(() => {
    ends = { accounts: 0, revocations: 0 };
    looks = 0;
    store = {
      async ends() {
        looks++;
        return { ...ends };
      },
    };
    const bus = new LocalBus();
    other = bus.connect();
    watch = new FeedWatch(store, bus.connect(), log);
  });
  afterEach(() => watch[Symbol.asyncDispose]());

  const passes = (signal: Signal, seen: number, ms: number) =>
    signal.passes(seen, ms, new AbortController().signal);

  it('wakes the followers of the feed that has moved at once when the bus hints', async () => {
    ends.revocations = 1;
    other.publish('chatterbox.revocations');
    assert.equal(await passes(watch.ended, 0, 1_000), true);
    assert.equal(watch.registered.count, 0);
    ends.accounts = 1;
    other.publish('chatterbox.accounts');
    assert.equal(await passes(watch.registered, 0, 1_000), true);
    assert.equal(watch.ended.count, 1);
  });

  it('wakes them within two seconds when no hint comes, and nobody when there is no news', async () => {
    ends.accounts = 1;
    assert.equal(await passes(watch.registered, 0, 2_000), true);
    assert.equal(await passes(watch.registered, 1, 2_000), false);
    assert.equal(watch.ended.count, 0);
  }).timeout(6_000);

  it('looks once at a time and once more, however many hints come', async () => {
    const release = Promise.withResolvers<void>();
    const answer = store.ends;
    store.ends = async () => {
      const before = await answer();
      await release.promise;
      return before;
    };
    other.publish('chatterbox.revocations');
    while (looks === 0) await new Promise(setImmediate);
    ends.revocations = 1;
    for (let i = 0; i < 100; i++) other.publish('chatterbox.revocations');
    for (let i = 0; i < 3; i++) await new Promise(setImmediate);
    assert.equal(looks, 1);
    release.resolve();
    assert.equal(await passes(watch.ended, 0, 1_000), true);
    assert.equal(looks, 2);
  });

  it('hints to the others when this node commits, and not when it has heard of it', async () => {
    const heard: string[] = [];
    for (const subject of ['chatterbox.accounts', 'chatterbox.revocations'])
      other.subscribe(subject, () => heard.push(subject));
    watch.ended.hear();
    watch.registered.hear();
    watch.registered.raise();
    watch.ended.raise();
    while (heard.length < 2) await new Promise(setImmediate);
    assert.deepEqual(heard, ['chatterbox.accounts', 'chatterbox.revocations']);
  });

  it('goes on looking after the store has failed', async () => {
    const answer = store.ends;
    store.ends = () => Promise.reject(new Error('away'));
    other.publish('chatterbox.accounts');
    for (let i = 0; i < 3; i++) await new Promise(setImmediate);
    store.ends = answer;
    ends.accounts = 1;
    other.publish('chatterbox.accounts');
    assert.equal(await passes(watch.registered, 0, 1_000), true);
  });
});
