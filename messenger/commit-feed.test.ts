import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { openSqliteStore } from './adapters/store-sqlite.ts';
import { CommitFeed } from './commit-feed.ts';
import type { JournalPage, MessageStore } from './ports.ts';
import { contentHash } from './send.ts';

describe('the commit feed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  let store: MessageStore & AsyncDisposable;
  let feed: CommitFeed;
  before(async () => {
    store = await openSqliteStore(folder);
    feed = new CommitFeed({ store, clock: Date.now, pauses: { quietMs: 1, busyMs: 1 } });
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  async function commit(conversation: string, body: string): Promise<void> {
    const members = conversation.split(':');
    const [sender = ''] = members;
    const draft = { conversation, members, sender, body, clientId: body, clientTime: 0n };
    await store.commit([{ ...draft, contentHash: contentHash(body) }], Date.now());
    feed.notify();
  }

  it('tells once where a conversation is to which several batches wrote, and then of what comes', async () => {
    const begin = await store.journalEnd();
    await commit('ada:bob', '1');
    await commit('ada:eve', '2');
    await commit('ada:bob', '3');
    const stop = new AbortController();
    const pages = feed.follow(begin, stop.signal);
    const told = async () =>
      ((await pages.next()).value as JournalPage).commits.map((c) => [c.conversation, c.lastSeq]);
    assert.deepEqual(await told(), [
      ['ada:bob', 2],
      ['ada:eve', 1],
    ]);
    const next = told();
    await commit('ada:eve', '4');
    assert.deepEqual(await next, [['ada:eve', 2]]);
    stop.abort();
    await pages.return(undefined);
  });

  it('tells the furthest place of a conversation, in whatever order nodes have noted their commits', async () => {
    const at = (lastSeq: number) => ({
      conversation: 'ada:bob',
      lastSeq,
      sentAt: 1,
      members: ['ada', 'bob'],
    });
    const shared = { ...store, journal: async () => ({ commits: [at(6), at(5)], cursor: '2' }) };
    const pages = new CommitFeed({ store: shared, clock: Date.now }).follow('1', AbortSignal.abort());
    assert.equal((await pages.next()).value, undefined, 'nothing is told when nobody listens any more');
    const stop = new AbortController();
    const told = await new CommitFeed({ store: shared, clock: Date.now }).follow('1', stop.signal).next();
    stop.abort();
    assert.deepEqual(told.value, { commits: [at(6)], cursor: `${await store.epoch()}.2` });
  });

  it('looks again when a gap may be passed, though nothing more is committed', async () => {
    let looks = 0;
    const later = { commits: [], cursor: '2' };
    const gapped = {
      ...store,
      journal: async () => (++looks === 1 ? { commits: [], cursor: '1', lookAgainInMs: 1 } : later),
    };
    const stop = new AbortController();
    const pauses = { quietMs: 1, busyMs: 1 };
    const pages = new CommitFeed({ store: gapped, clock: Date.now, pauses }).follow('1', stop.signal);
    assert.deepEqual((await pages.next()).value, { commits: [], cursor: `${await store.epoch()}.2` });
    stop.abort();
  });

  it('keeps what comes for a reader that is still at the snapshot, though others have read it', async () => {
    await commit('ada:bob', 'before the snapshot');
    const stop = new AbortController();
    const slow = feed.follow('', stop.signal, 'slow');
    assert.ok(((await slow.next()).value as JournalPage).commits.length > 0);
    for (const body of ['during', 'the snapshot']) await commit('ada:bob', body);
    await feed.acknowledge('fast', await store.journalEnd());
    await store.pruneJournal(Date.now());
    const end = (await slow.next()).value as JournalPage;
    assert.deepEqual([end.commits, end.cursor === ''], [[], false]);
    const next = (await slow.next()).value as JournalPage;
    assert.notEqual(next.cursor, '', 'the snapshot does not begin again');
    assert.deepEqual(
      next.commits.map(({ conversation }) => conversation),
      ['ada:bob'],
    );
    stop.abort();
    await slow.return(undefined);
  });

  it('ends the epoch where a reader knows of more than there is, and begins with a snapshot in the next one', async () => {
    await commit('ada:bob', 'before');
    const epoch = await store.epoch();
    const end = Number(await store.journalEnd());
    let renewals = 0;
    const watched = new CommitFeed({ store, clock: Date.now, onRenewed: () => renewals++ });
    const cursorAfter = async (cursor: string) => {
      const stop = new AbortController();
      for await (const page of watched.follow(cursor, stop.signal)) {
        if (page.cursor === '') continue;
        stop.abort();
        return page.cursor;
      }
      return assert.fail('there is a cursor');
    };
    const renewed = await cursorAfter(`${epoch}.${end + 1}`);
    assert.equal(renewals, 1);
    assert.equal(renewed, `${await store.epoch()}.${end}`);
    assert.notEqual(await store.epoch(), epoch);
    assert.equal(await cursorAfter(`${epoch}.${end + 1}`), renewed, 'it is of an earlier epoch');
    assert.equal(await cursorAfter(`${epoch}.${end}`), renewed);
    await assert.rejects(watched.acknowledge('reader', `${epoch}.${end}`), { reason: 'INVALID_REQUEST' });
    await watched.acknowledge('reader', renewed);
    assert.equal(renewals, 1);
    assert.equal((await cursorAfter(`${end + 1}`)).split('.')[1], `${end}`);
    assert.equal(renewals, 2, 'a cursor of an earlier version is one of the present epoch');
  });
});
