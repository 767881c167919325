import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { directConversation } from '../conversation-id.ts';
import type { Arrival, Draft, Entry, MessageStore, Outcome } from '../ports.ts';
import { contentHash } from '../send.ts';
import { limitPromises } from './limits.contract.ts';

export interface OpenedStore extends AsyncDisposable {
  store: MessageStore;
  /** Closes it and opens the same data again. */
  reopen(): Promise<void>;
}

/** What every message store promises; each adapter runs all of it. */
export function messageStoreContract(name: string, openStore: () => Promise<OpenedStore>): void {
  describe(`${name} keeps the promises of a message store`, () => {
    let opened: OpenedStore;
    const store = () => opened.store;
    beforeEach(async () => {
      opened = await openStore();
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    describe('at its limits', () => limitPromises(store));

    it('counts each conversation 1, 2, 3, in the order of the drafts', async () => {
      const drafts = [draft('ada', 'bob', 'a'), draft('ada', 'cleo', 'b'), draft('bob', 'ada', 'c')];
      assert.deepEqual(seqs(await store().commit(drafts, 5)), [1, 1, 2]);
      assert.deepEqual(seqs(await store().commit([draft('ada', 'bob', 'd')], 6)), [3]);
      assert.deepEqual(await bodies(store(), 'ada:bob'), ['a', 'c', 'd']);
    });

    it('answers a retry with the first answer, in a later batch, in the same one, and after reopening', async () => {
      const first = draft('ada', 'bob', 'hello', 'id-1');
      const [one, two] = await store().commit([first, { ...first }], 5);
      assert.deepEqual(one, { kind: 'committed', seq: 1, sentAt: 5, messagesSoFar: 1 });
      assert.deepEqual(two, { kind: 'duplicate', seq: 1, sentAt: 5, isSameContent: true });
      await opened.reopen();
      const [again] = await store().commit([first], 9);
      assert.deepEqual(again, { kind: 'duplicate', seq: 1, sentAt: 5, isSameContent: true });
      assert.deepEqual(await bodies(store(), 'ada:bob'), ['hello']);
    });

    it('tells other content under the same client id from a retry', async () => {
      await store().commit([draft('ada', 'bob', 'hello', 'id-1')], 5);
      const [outcome] = await store().commit([draft('ada', 'bob', 'goodbye', 'id-1')], 6);
      assert.deepEqual(outcome, { kind: 'duplicate', seq: 1, sentAt: 5, isSameContent: false });
    });

    it('takes the same client id once for each sender and conversation', async () => {
      const drafts = [
        draft('ada', 'bob', 'a', 'x'),
        draft('bob', 'ada', 'b', 'x'),
        draft('ada', 'cleo', 'c', 'x'),
      ];
      const outcomes = await store().commit(drafts, 5);
      assert.ok(outcomes.every((outcome) => outcome.kind === 'committed'));
    });

    it('never dates an entry before the one before it, though the clock goes back by up to a minute', async () => {
      await store().commit([draft('ada', 'bob', 'a')], 60_040);
      const [outcome] = await store().commit([draft('ada', 'bob', 'b')], 40);
      assert.deepEqual(outcome, { kind: 'committed', seq: 2, sentAt: 60_040, messagesSoFar: 2 });
    });

    for (const ahead of [3_600_000, 365 * 86_400_000])
      it(`keeps no conversation ahead of a clock that was ahead by ${ahead / 3_600_000} h and is right again`, async () => {
        const now = 1_800_000_000_000;
        await store().commit([draft('ada', 'bob', 'a')], now + ahead);
        await store().commit([draft('ada', 'cleo', 'c')], now);
        const again = await store().commit(
          ['b', 'c'].map((text) => draft('ada', 'bob', text)),
          now + 1,
        );
        assert.deepEqual(again, [
          { kind: 'committed', seq: 2, sentAt: now + 1, messagesSoFar: 2, datedBackMs: ahead - 1 },
          { kind: 'committed', seq: 3, sentAt: now + 1, messagesSoFar: 3 },
        ]);
        await store().commit([draft('ada', 'cleo', 'd')], now + 2);
        const inbox = await store().conversations('ada', undefined, 9);
        assert.deepEqual(
          inbox.map(({ id, lastEntry }) => [id, lastEntry.sentAt]),
          [
            ['ada:cleo', now + 2],
            ['ada:bob', now + 1],
          ],
        );
        assert.deepEqual(
          (await store().snapshot('', 9)).map(({ sentAt }) => sentAt),
          [now + 1, now + 2],
        );
        assert.deepEqual(await bodies(store(), 'ada:bob'), ['a', 'b', 'c']);
      });

    it('keeps any text and any 64-bit client time as it is', async () => {
      const texts = [
        '\u0000',
        '\u{1f469}\u200d\u{1f4bb}',
        '\u200b',
        '漢字',
        'é',
        "';--",
        'x '.repeat(32_768),
      ];
      const times = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)];
      const drafts = texts.map((text, i) => ({
        ...draft('ada', 'bob', text),
        clientTime: times[i % 4] ?? 0n,
      }));
      await store().commit(drafts, 5);
      const entries = await store().entries([{ conversation: 'ada:bob', after: 0 }], 100);
      assert.deepEqual(
        entries.map((e) => e.body),
        texts,
      );
      assert.deepEqual(
        entries.map((e) => e.clientTime),
        drafts.map((d) => d.clientTime),
      );
    });

    it('reads ranges one after the other, up to the number and the amount asked for', async () => {
      await store().commit(
        ['a', 'b', 'c'].map((text) => draft('ada', 'bob', text)),
        5,
      );
      await store().commit(
        ['d', 'e'].map((text) => draft('ada', 'cleo', text)),
        5,
      );
      const ranges = [
        { conversation: 'ada:bob', after: 1 },
        { conversation: 'ada:cleo', after: 0 },
      ];
      assert.deepEqual(
        (await store().entries(ranges, 3)).map((e) => e.body),
        ['b', 'c', 'd'],
      );
      assert.deepEqual(await store().entries([{ conversation: 'ada:zoe', after: 0 }], 3), []);
      await store().commit(
        Array.from({ length: 40 }, () => draft('ada', 'dan', 'x'.repeat(10_000))),
        6,
      );
      const some = await store().entries([{ conversation: 'ada:dan', after: 0 }], 100);
      assert.ok(some.length > 1 && some.length < 40, `${some.length} entries`);
    });

    it('lists a user’s conversations by their newest entry, page by page, and no others', async () => {
      await store().commit([draft('ada', 'bob', 'a')], 1);
      await store().commit([draft('cleo', 'ada', 'b')], 3);
      await store().commit([draft('dan', 'ada', 'c'), draft('bob', 'cleo', 'x')], 2);
      const first = await store().conversations('ada', undefined, 2);
      assert.deepEqual(
        first.map((c) => [c.id, c.members, c.lastEntry.body]),
        [
          ['ada:cleo', ['ada', 'cleo'], 'b'],
          ['ada:dan', ['ada', 'dan'], 'c'],
        ],
      );
      const rest = await store().conversations('ada', { sentAt: 2, id: 'ada:dan' }, 2);
      assert.deepEqual(
        rest.map((c) => [c.id, c.lastSeq, c.createdAt]),
        [['ada:bob', 1, 1]],
      );
    });

    it('knows where each device is, and moves it forward only', async () => {
      await store().commit(
        ['a', 'b', 'c'].map((text) => draft('ada', 'bob', text)),
        5,
      );
      await open(store(), 'ada', 'phone');
      const cursor = { user: 'ada', device: 'phone', conversation: 'ada:bob' };
      await store().saveCursors([{ ...cursor, seq: 2, marksTaken: 4 }]);
      await store().saveCursors([{ ...cursor, seq: 1, marksTaken: 3 }]);
      const position = { conversation: 'ada:bob', lastSeq: 3, createdAt: 5, lastSentAt: 5 };
      // Ada's delivered mark moved once.
      const marksRevision = 2;
      assert.deepEqual((await open(store(), 'ada', 'phone')).positions, [
        { ...position, cursor: 2, marksTaken: 4, marksRevision },
      ]);
      assert.deepEqual((await open(store(), 'ada', 'desk')).positions, [
        { ...position, cursor: undefined, marksTaken: 0, marksRevision },
      ]);
      assert.deepEqual((await open(store(), 'zoe', 'phone')).positions, []);
    });

    it('takes nothing for delivered that no device has acknowledged, however often one opens', async () => {
      await store().commit([draft('ada', 'bob', 'a')], 5);
      for (const now of [6, 7, 8_000_000]) {
        const { positions, baseAt } = await open(store(), 'bob', 'phone', { now, baseAt: now });
        assert.deepEqual([positions.map(({ cursor }) => cursor), baseAt], [[undefined], 6]);
      }
      const [inbox] = await store().conversations('bob', undefined, 1);
      assert.equal(inbox?.marks.find(({ member }) => member === 'bob')?.deliveredSeq, 0);
    });

    it('keeps so many devices of each user: the longest unseen without a stream goes, and is new when it comes back', async () => {
      await store().commit([draft('ada', 'bob', 'a')], 5);
      const arrive = (device: string, now: number, openDevices: string[] = []) =>
        open(store(), 'bob', device, { now, baseAt: now, maxDevices: 3, openDevices });
      for (const [i, device] of ['one', 'two', 'three'].entries()) await arrive(device, 10 + i);
      const reached = { user: 'bob', conversation: 'ada:bob', seq: 1, marksTaken: 0 };
      await store().saveCursors(['one', 'two'].map((device) => ({ ...reached, device })));
      await arrive('four', 20, ['one']);
      assert.equal((await arrive('one', 30)).positions[0]?.cursor, 1, 'it had a stream open');
      // The cursor of a device that went is not kept, however late it is saved.
      await store().saveCursors([{ ...reached, device: 'two' }]);
      const again = await arrive('two', 40, ['one', 'four']);
      assert.deepEqual([again.baseAt, again.positions[0]?.cursor], [40, undefined]);
      await assert.rejects(arrive('five', 50, ['one', 'two', 'four']), { reason: 'CONFLICT' });
    });

    it('finds the newest entry of a time, for many conversations', async () => {
      for (const at of [10, 20, 20, 30, 40])
        await store().commit([draft('ada', 'bob', `${at}`), draft('ada', 'cleo', `${at}`)], at);
      const moment = (conversation: string, at: number) => ({ conversation, lastSeq: 5, at });
      assert.deepEqual(
        await store().newestAt([
          ...[9, 10, 25, 39, 40, 99].map((at) => moment('ada:bob', at)),
          moment('ada:cleo', 20),
        ]),
        [0, 1, 3, 4, 5, 5, 3],
      );
      assert.deepEqual(await store().newestAt([]), []);
      const many = Array.from({ length: 2_000 }, (_, i) => moment('ada:bob', i % 2 === 0 ? 10 : 39));
      assert.deepEqual(
        await store().newestAt(many),
        many.map(({ at }) => (at === 10 ? 1 : 4)),
      );
    });

    it('tells the marks of a conversation after a revision of them, each change the next one', async () => {
      await store().commit(
        [draft('ada', 'bob', 'a'), draft('bob', 'ada', 'b'), draft('ada', 'cleo', 'c')],
        5,
      );
      await open(store(), 'bob', 'phone');
      const conversation = 'ada:bob';
      const marksAfter = async (revision: number) =>
        (await store().marksAfter([{ conversation, after: revision }]))
          .map(({ member, readSeq, deliveredSeq, marksRevision }) => [
            member,
            readSeq,
            deliveredSeq,
            marksRevision,
          ])
          .sort();
      const unread = [
        ['ada', 1, 0, 1],
        ['bob', 2, 0, 1],
      ];
      assert.deepEqual(await marksAfter(0), unread);
      assert.deepEqual(await marksAfter(1), [], 'sending sets no revision');
      const [delivered] = await store().saveCursors([
        { user: 'bob', device: 'phone', conversation, seq: 1, marksTaken: 0 },
      ]);
      const [read] = await store().markRead([{ user: 'ada', conversation, seq: 2 }]);
      assert.deepEqual([delivered?.marksRevision, read?.marksRevision], [2, 3]);
      assert.deepEqual(await marksAfter(1), [
        ['ada', 2, 0, 3],
        ['bob', 2, 1, 2],
      ]);
      assert.deepEqual(await marksAfter(2), [['ada', 2, 0, 3]]);
      assert.deepEqual(await marksAfter(3), []);
    });

    it('tells a user’s own marks after a revision, all of a revision together', async () => {
      const friends = Array.from({ length: 600 }, (_, i) => `friend${i}`);
      await store().commit(
        friends.map((friend) => draft(friend, 'bob', 'x')),
        5,
      );
      const conversations = friends.map((friend) => directConversation(friend, 'bob'));
      for (let from = 0; from < 600; from += 150)
        await store().markRead(
          conversations
            .slice(from, from + 150)
            .map((conversation) => ({ user: 'bob', conversation, seq: 1 })),
        );
      const told: string[] = [];
      let revision = 0;
      for (let page = await store().stateAfter('bob', 0); page.marks.length > 0; ) {
        assert.ok(page.marks.every((mark) => mark.member === 'bob' && mark.revision <= page.revision));
        assert.ok(page.marks.every((mark) => mark.revision > revision));
        told.push(...page.marks.map(({ conversation }) => conversation));
        revision = page.revision;
        page = await store().stateAfter('bob', revision);
      }
      assert.deepEqual(told.toSorted(), conversations.toSorted());
      assert.deepEqual(await store().stateAfter('bob', revision), { marks: [], revision });
      assert.deepEqual(await store().stateAfter('nobody', 0), { marks: [], revision: 0 });
    });

    it('counts unread messages after the read mark, which sending moves too, and moves it forward only', async () => {
      await store().commit(
        ['a', 'b', 'c'].map((text) => draft('ada', 'bob', text)),
        5,
      );
      const read = { user: 'bob', conversation: 'ada:bob' };
      const unread = async (user: string) => (await store().conversations(user, undefined, 1))[0]?.unread;
      assert.deepEqual([await unread('ada'), await unread('bob')], [0, 3]);
      const marks = { conversation: 'ada:bob', member: 'bob', deliveredSeq: 0, marksRevision: 2 };
      assert.deepEqual(await store().markRead([{ ...read, seq: 2 }]), [
        { ...marks, readSeq: 2, revision: 1 },
      ]);
      assert.deepEqual(await store().markRead([{ ...read, seq: 1 }]), [
        { ...marks, readSeq: 2, revision: 1 },
      ]);
      assert.deepEqual(await store().markRead([{ ...read, seq: 4 }]), [undefined]);
      assert.deepEqual([await unread('ada'), await unread('bob')], [0, 1]);
      await store().commit([draft('bob', 'ada', 'd')], 6);
      assert.deepEqual([await unread('ada'), await unread('bob')], [1, 0]);
    });

    it('counts what is unread in all conversations together', async () => {
      assert.deepEqual(await store().unread('bob'), { messages: 0, conversations: 0 });
      await store().commit([draft('ada', 'bob', 'a'), draft('ada', 'bob', 'b'), draft('cyd', 'bob', 'c')], 5);
      assert.deepEqual(await store().unread('bob'), { messages: 3, conversations: 2 });
      await store().markRead([{ user: 'bob', conversation: 'bob:cyd', seq: 1 }]);
      assert.deepEqual(await store().unread('bob'), { messages: 2, conversations: 1 });
      assert.deepEqual(await store().unread('ada'), { messages: 0, conversations: 0 });
    });

    it('tells how far the furthest device is, when that moves', async () => {
      await store().commit(
        ['a', 'b'].map((text) => draft('ada', 'bob', text)),
        5,
      );
      for (const device of ['phone', 'desk']) await open(store(), 'bob', device);
      const cursor = { user: 'bob', conversation: 'ada:bob', marksTaken: 0 };
      const [marks] = await store().saveCursors([{ ...cursor, device: 'phone', seq: 2 }]);
      assert.deepEqual([marks?.member, marks?.deliveredSeq], ['bob', 2]);
      assert.deepEqual(await store().saveCursors([{ ...cursor, device: 'desk', seq: 1 }]), []);
    });

    it('reads backwards from any place', async () => {
      await store().commit(
        ['a', 'b', 'c', 'd'].map((text) => draft('ada', 'bob', text)),
        5,
      );
      assert.deepEqual(
        (await store().entriesBefore('ada:bob', 4, 2)).map((e) => e.seq),
        [3, 2],
      );
      assert.deepEqual(
        (await store().entriesBefore('ada:bob', Number.MAX_SAFE_INTEGER, 9)).map((e) => e.seq),
        [4, 3, 2, 1],
      );
      assert.deepEqual(await store().entriesBefore('ada:bob', 1, 9), []);
    });

    it('knows how far conversations go', async () => {
      assert.deepEqual(await store().heads(['ada:bob']), []);
      await store().commit([draft('ada', 'bob', 'a')], 5);
      assert.deepEqual(await store().heads(['ada:bob', 'ada:cleo']), [
        { conversation: 'ada:bob', lastSeq: 1 },
      ]);
      assert.deepEqual(await store().heads([]), []);
    });

    it('journals every batch in commit order, and nothing for a batch of retries', async () => {
      const start = await store().journalEnd();
      const drafts = [
        draft('ada', 'bob', 'a', '1'),
        draft('ada', 'bob', 'b', '2'),
        draft('cleo', 'cleo', 'c', '3'),
      ];
      await store().commit(drafts, 5);
      await store().commit(drafts, 6);
      await store().commit([draft('ada', 'bob', 'd')], 7);
      const one = await store().journal(start, 1);
      assert.deepEqual(one?.commits, [
        { conversation: 'ada:bob', lastSeq: 2, sentAt: 5, members: ['ada', 'bob'] },
        { conversation: 'cleo:cleo', lastSeq: 1, sentAt: 5, members: ['cleo'] },
      ]);
      const two = await store().journal(one?.cursor ?? '', 10);
      assert.deepEqual(
        two?.commits.map((c) => c.lastSeq),
        [3],
      );
      const end = await store().journal(two?.cursor ?? '', 10);
      assert.deepEqual(end, { commits: [], cursor: await store().journalEnd() });
    });

    it('forgets the journal behind all readers, and says so to one that comes from there', async () => {
      // What is young may be kept for others than readers.
      const later = 120_000;
      const start = await store().journalEnd();
      for (const body of ['a', 'b', 'c']) await store().commit([draft('ada', 'bob', body)], 5);
      const end = await store().journalEnd();
      await store().acknowledgeJournal('slow', start, later);
      await store().acknowledgeJournal('fast', end, later);
      assert.equal(await store().pruneJournal(later), false);
      assert.equal((await store().journal(start, 10))?.commits.length, 3);
      await store().acknowledgeJournal('slow', end, later);
      assert.equal((await store().journal(start, 10))?.commits.length, 3, 'a reader does not wait for that');
      await store().pruneJournal(later);
      assert.equal(await store().journal(start, 10), undefined);
      assert.deepEqual((await store().journal(end, 10))?.commits, []);
      await store().commit([draft('ada', 'bob', 'd')], 5);
      assert.equal((await store().journal(end, 10))?.commits.length, 1);
    });

    it('forgets after an hour what nobody reads, and after a week what a reader that has gone has not read', async () => {
      const [minute, hour, week] = [60_000, 3_600_000, 7 * 24 * 3_600_000];
      const start = await store().journalEnd();
      for (const body of ['a', 'b']) await store().commit([draft('ada', 'bob', body)], 0);
      await store().pruneJournal(hour - minute);
      assert.equal((await store().journal(start, 10))?.commits.length, 2, 'a reader may be about to come');
      await store().acknowledgeJournal('gone', start, hour);
      await store().pruneJournal(hour + minute);
      assert.equal((await store().journal(start, 10))?.commits.length, 2, 'it is kept for the reader');
      await store().pruneJournal(hour + week + minute);
      assert.equal(await store().journal(start, 10), undefined);
      assert.deepEqual((await store().journal(await store().journalEnd(), 10))?.commits, []);
    });

    it('forgets a long journal in steps, and says which is the last', async () => {
      const start = await store().journalEnd();
      const batches = Array.from({ length: 1_050 }, (_, i) => [draft('ada', 'bob', `${i}`)]);
      await Promise.all(batches.map((batch) => store().commit(batch, 0)));
      let steps = 1;
      while (await store().pruneJournal(3_600_001)) steps++;
      assert.ok(steps > 1 && steps < 5, `${steps} steps`);
      assert.equal(await store().journal(start, 10), undefined);
      const end = await store().journalEnd();
      assert.deepEqual(await store().journal(end, 10), { commits: [], cursor: end });
    });

    it('forgets no batch behind one that it keeps, though a clock went back', async () => {
      const start = await store().journalEnd();
      const times = [5_000_000, 0, 5_000_000];
      for (const [i, now] of times.entries()) await store().commit([draft('ada', 'bob', `${i}`)], now);
      await store().pruneJournal(3_600_001);
      const page = await store().journal(start, 10);
      const seqs = page?.commits.map(({ lastSeq }) => lastSeq);
      assert.ok(seqs === undefined || seqs.join() === '1,2,3', `a reader is told of ${seqs}, and of no gap`);
    });

    it('ends a page of the journal after about a megabyte of text, and after no less than one batch', async () => {
      const start = await store().journalEnd();
      const large = (n: number) =>
        Array.from({ length: 512 }, (_, i) => draft('a'.repeat(64), `b${n}.${i}.`.padEnd(64, 'b'), 'x'));
      for (let n = 0; n < 12; n++) await store().commit(large(n), 5);
      const sizes: number[] = [];
      const seen = new Set<string>();
      for (let cursor = start; ; ) {
        const page = await store().journal(cursor, 200);
        assert.ok(page);
        if (page.cursor === cursor) break;
        sizes.push(JSON.stringify(page.commits).length);
        for (const { conversation } of page.commits) seen.add(conversation);
        cursor = page.cursor;
      }
      assert.equal(seen.size, 12 * 512);
      assert.ok(Math.max(...sizes) < 1_400_000, `pages of ${sizes} characters`);
      assert.ok(Math.max(...sizes) > 900_000, 'several batches make a page');
    });

    for (const cursor of [
      '',
      'x',
      '-5',
      '99999',
      '1e400',
      '1.5.2',
      '0.5',
      ' 0',
      '0x0',
      '9007199254740992',
      'n1,1:0.5',
    ]) {
      it(`does not take ${JSON.stringify(cursor)} for a place in the journal`, async () => {
        assert.equal(await store().journal(cursor, 10), undefined);
      });
    }

    it('does not take the end of a journal that went further, as before a restore, for a place in it', async () => {
      await using fuller = await openStore();
      for (const body of ['a', 'b', 'c']) await fuller.store.commit([draft('ada', 'bob', body)], 5);
      const end = await fuller.store.journalEnd();
      assert.deepEqual((await fuller.store.journal(end, 10))?.commits, []);
      for (const body of ['a', 'b']) {
        assert.equal(await store().journal(end, 10), undefined);
        assert.equal(await store().isBeyondJournal(end), true);
        await store().commit([draft('ada', 'bob', body)], 5);
      }
      await store().commit([draft('ada', 'bob', 'c')], 5);
      assert.equal(
        await store().isBeyondJournal(end),
        false,
        'it cannot be told from a place of this journal',
      );
    });

    it('tells a place beyond the end of the journal from those that are forgotten, and from what is none', async () => {
      const start = await store().journalEnd();
      for (const body of ['a', 'b']) await store().commit([draft('ada', 'bob', body)], 5);
      const end = await store().journalEnd();
      await store().acknowledgeJournal('reader', end, 70_000);
      await store().pruneJournal(70_000);
      for (const place of ['', 'x', '-1', start, end])
        assert.equal(await store().isBeyondJournal(place), false, place);
    });

    it('keeps the epoch of its log, and renews it where the old one is named', async () => {
      const first = await store().epoch();
      await using other = await openStore();
      assert.notEqual(await other.store.epoch(), first, 'every log has its own');
      await opened.reopen();
      assert.equal(await store().epoch(), first);
      assert.equal(await store().renewEpoch('another'), first);
      const second = await store().renewEpoch(first);
      assert.notEqual(second, first);
      assert.match(second, /^[\x21-\x7e]{1,64}$/);
      assert.equal(await store().renewEpoch(first), second, 'it was renewed already');
      await opened.reopen();
      assert.equal(await store().epoch(), second);
    });

    it('forgets what a device had that knows another epoch, and nothing of the other devices', async () => {
      await store().commit([draft('ada', 'bob', 'a')], 5);
      const epoch = await store().epoch();
      const arrive = (device: string, now: number, itsEpoch: string) =>
        open(store(), 'bob', device, { now, baseAt: now, epoch: itsEpoch });
      for (const device of ['phone', 'desk']) {
        await arrive(device, 10, '');
        await store().saveCursors([{ user: 'bob', device, conversation: 'ada:bob', seq: 1, marksTaken: 1 }]);
      }
      const known = await arrive('phone', 20, epoch);
      assert.deepEqual([known.epoch, known.baseAt, known.positions[0]?.cursor], [epoch, 10, 1]);
      for (const now of [30, 40]) {
        const anew = await arrive('phone', now, 'another');
        const [position] = anew.positions;
        assert.deepEqual(
          [anew.epoch, anew.baseAt, position?.cursor, position?.marksTaken],
          [epoch, now, undefined, 0],
        );
      }
      assert.equal((await arrive('phone', 50, epoch)).baseAt, 40, 'now it knows this one');
      assert.equal((await arrive('desk', 60, epoch)).positions[0]?.cursor, 1);
    });

    it('shows all conversations to a reader that starts anew', async () => {
      await store().commit(
        [draft('ada', 'bob', 'a'), draft('bob', 'cleo', 'b'), draft('ada', 'bob', 'c')],
        5,
      );
      const first = await store().snapshot('', 1);
      assert.deepEqual(first, [{ conversation: 'ada:bob', lastSeq: 2, sentAt: 5, members: ['ada', 'bob'] }]);
      assert.deepEqual(
        (await store().snapshot('ada:bob', 9)).map((c) => c.conversation),
        ['bob:cleo'],
      );
    });

    it('stays free of gaps and repeats while many batches race, half of them retries', async () => {
      const drafts = Array.from({ length: 200 }, (_, i) => draft('ada', 'bob', `m${i}`, `id-${i}`));
      const batches = [...drafts, ...drafts].map((d) => store().commit([d], 5));
      const outcomes = (await Promise.all(batches)).flat();
      assert.equal(outcomes.filter((o) => o.kind === 'committed').length, 200);
      const entries = await store().entries([{ conversation: 'ada:bob', after: 0 }], 1_000);
      assert.deepEqual(
        entries.map((e) => e.seq),
        drafts.map((_, i) => i + 1),
      );
      assert.deepEqual(
        entries.map((e) => e.messagesSoFar),
        drafts.map((_, i) => i + 1),
      );
      for (const [i, outcome] of outcomes.entries())
        assert.equal(entries[outcome.seq - 1]?.clientId, `id-${i % 200}`);
    });
  });
}

/** As a device that arrives at 10 where nobody else is. */
function open(store: MessageStore, user: string, device: string, arrival: Partial<Arrival> = {}) {
  return store.openDevice(user, device, {
    now: 10,
    baseAt: 10,
    maxDevices: 50,
    openDevices: [],
    epoch: '',
    ...arrival,
  });
}

let lastId = 0;

function draft(sender: string, friend: string, body: string, clientId = `c${++lastId}`): Draft {
  const members = [...new Set([sender, friend])].sort();
  const conversation = directConversation(sender, friend);
  return { conversation, members, sender, clientId, contentHash: contentHash(body), body, clientTime: 0n };
}

function seqs(outcomes: Outcome[]): number[] {
  return outcomes.map((outcome) => outcome.seq);
}

async function bodies(store: MessageStore, conversation: string): Promise<string[]> {
  const entries: Entry[] = await store.entries([{ conversation, after: 0 }], 1_000);
  return entries.map((entry) => entry.body);
}
