import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { directConversation } from '../conversation-id.ts';
import type { Draft, Entry, MessageStore, Outcome } from '../ports.ts';
import { contentHash } from '../send.ts';

export interface OpenedStore extends AsyncDisposable {
  store: MessageStore;
  /** Closes it and opens the same data again. */
  reopen(): Promise<void>;
}

/** What every message store promises; each adapter runs all of it. */
export function messageStoreContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} keeps the promises of a message store`, () => {
    let opened: OpenedStore;
    const store = () => opened.store;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened[Symbol.asyncDispose]());

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

    it('never dates an entry before the one before it, though the clock goes back', async () => {
      await store().commit([draft('ada', 'bob', 'a')], 100);
      const [outcome] = await store().commit([draft('ada', 'bob', 'b')], 40);
      assert.equal(outcome?.sentAt, 100);
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
      const cursor = { user: 'ada', device: 'phone', conversation: 'ada:bob' };
      await store().saveCursors([{ ...cursor, seq: 2 }]);
      await store().saveCursors([{ ...cursor, seq: 1 }]);
      assert.deepEqual(await store().positions('ada', 'phone'), [
        { conversation: 'ada:bob', lastSeq: 3, cursor: 2 },
      ]);
      assert.deepEqual(await store().positions('ada', 'desk'), [
        { conversation: 'ada:bob', lastSeq: 3, cursor: 0 },
      ]);
      assert.deepEqual(await store().positions('zoe', 'phone'), []);
    });

    it('counts unread messages after the read mark, which sending moves too, and moves it forward only', async () => {
      await store().commit(
        ['a', 'b', 'c'].map((text) => draft('ada', 'bob', text)),
        5,
      );
      const read = { user: 'bob', conversation: 'ada:bob' };
      const unread = async (user: string) => (await store().conversations(user, undefined, 1))[0]?.unread;
      assert.deepEqual([await unread('ada'), await unread('bob')], [0, 3]);
      const marks = { conversation: 'ada:bob', member: 'bob', deliveredSeq: 0 };
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
      const cursor = { user: 'bob', conversation: 'ada:bob' };
      const [marks] = await store().saveCursors([{ ...cursor, device: 'phone', seq: 2 }]);
      assert.deepEqual([marks?.member, marks?.deliveredSeq], ['bob', 2]);
      assert.deepEqual(await store().saveCursors([{ ...cursor, device: 'desk', seq: 1 }]), []);
    });

    it('starts a new device at the end of everything, once, and tells it the marks that it does not know', async () => {
      await store().commit([draft('ada', 'bob', 'a'), draft('cleo', 'bob', 'b')], 5);
      await store().markRead([{ user: 'bob', conversation: 'ada:bob', seq: 1 }]);
      const first = await store().openDevice('bob', 'phone', 0);
      assert.deepEqual([first.isNew, first.revision], [true, 1]);
      assert.deepEqual(
        first.positions.map((p) => p.cursor),
        [1, 1],
      );
      await store().commit([draft('ada', 'bob', 'c'), draft('dan', 'bob', 'd')], 6);
      const second = await store().openDevice('bob', 'phone', 1);
      const cursors = second.positions.map((p) => [p.conversation, p.lastSeq, p.cursor]).toSorted();
      assert.deepEqual(cursors, [
        ['ada:bob', 2, 1],
        ['bob:cleo', 1, 1],
        ['bob:dan', 1, 0],
      ]);
      assert.equal(second.isNew, false);
      const own = (marks: { member: string }[]) => marks.filter(({ member }) => member === 'bob').length;
      assert.deepEqual([own(first.marks), own(second.marks)], [1, 0]);
      assert.deepEqual(second.marks.map((m) => m.member).toSorted(), ['ada', 'cleo', 'dan']);
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

    it('knows whether a conversation has begun', async () => {
      assert.equal(await store().exists('ada:bob'), false);
      await store().commit([draft('ada', 'bob', 'a')], 5);
      assert.equal(await store().exists('ada:bob'), true);
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
      assert.equal((await store().journal(start, 10))?.commits.length, 3);
      await store().acknowledgeJournal('slow', end, later);
      assert.equal(await store().journal(start, 10), undefined);
      assert.deepEqual((await store().journal(end, 10))?.commits, []);
      await store().commit([draft('ada', 'bob', 'd')], 5);
      assert.equal((await store().journal(end, 10))?.commits.length, 1);
    });

    for (const cursor of ['', 'x', '-5', '99999', '1e400', '1.5.2']) {
      it(`does not take ${JSON.stringify(cursor)} for a place in the journal`, async () => {
        assert.equal(await store().journal(cursor, 10), undefined);
      });
    }

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
