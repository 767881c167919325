import assert from 'node:assert/strict';
import { it } from 'mocha';
import { directConversation } from '../conversation-id.ts';
import { LIMITS } from '../limits.ts';
import type { Draft, Entry, MessageStore } from '../ports.ts';
import { contentHash } from '../send.ts';

const NUMBERS = [0, -1, 2 ** 53];

/** What a message store promises of the longest texts, and of numbers that no entry has. */
export function limitPromises(store: () => MessageStore): void {
  const [ada, zed] = ['a', 'z'].map((letter) => letter.repeat(LIMITS.username)) as [string, string];
  const conversation = directConversation(ada, zed);
  const device = 'd'.repeat(LIMITS.storedDevice);
  // Of four bytes each: so many fit nowhere where bytes are counted as characters.
  const longest = {
    ...draft(ada, zed, '\u{1f989}'.repeat(LIMITS.text)),
    clientId: 'c'.repeat(LIMITS.clientId),
  };

  const open = (user: string, name: string) =>
    store().openDevice(user, name, { now: 10, baseAt: 10, maxDevices: 50, openDevices: [], epoch: '' });

  it('keeps every text at its maximum', async () => {
    assert.equal(conversation.length, LIMITS.conversationId);
    const start = await store().journalEnd();
    assert.equal((await store().commit([longest], 5))[0]?.kind, 'committed');
    assert.equal((await store().commit([longest], 5))[0]?.kind, 'duplicate');
    const [entry] = await store().entries([{ conversation, after: 0 }], 9);
    assert.deepEqual([entry?.body, entry?.sender, entry?.clientId], [longest.body, ada, longest.clientId]);
    assert.equal((await store().conversations(zed, undefined, 9))[0]?.lastEntry.body, longest.body);
    assert.deepEqual((await store().snapshot('', 9))[0]?.members, [ada, zed]);
    assert.deepEqual(await store().snapshot(conversation, 9), []);
    assert.equal((await store().journal(start, 9))?.commits[0]?.conversation, conversation);
    await store().acknowledgeJournal('r'.repeat(LIMITS.journalReader), start, 5);
  });

  it('keeps a device and its marks, however long the names', async () => {
    await open(zed, device);
    await store().commit([longest], 5);
    const [delivered] = await store().saveCursors([
      { user: zed, device, conversation, seq: 1, marksTaken: 0 },
    ]);
    assert.deepEqual([delivered?.member, delivered?.deliveredSeq], [zed, 1]);
    const [read] = await store().markRead([{ user: zed, conversation, seq: 1 }]);
    assert.deepEqual([read?.member, read?.readSeq], [zed, 1]);
    const { positions } = await open(zed, device);
    assert.deepEqual(
      positions.map((position) => [position.conversation, position.lastSeq, position.cursor]),
      [[conversation, 1, 1]],
    );
    assert.deepEqual(await store().heads([conversation]), [{ conversation, lastSeq: 1 }]);
    assert.deepEqual(await store().newestAt([{ conversation, lastSeq: 1, at: 5 }]), [1]);
    assert.equal((await store().marksAfter([{ conversation, after: 0 }])).length, 2);
  });

  for (const number of NUMBERS) {
    const short = { user: 'bob', conversation: 'ada:bob' };
    const begin = () => store().commit([draft('ada', 'bob', 'a'), draft('ada', 'bob', 'b')], 5);

    it(`takes ${number} for no entry that could be read or acknowledged`, async () => {
      await begin();
      assert.deepEqual(await store().markRead([{ ...short, seq: number }]), [undefined]);
      await open('bob', 'phone');
      const cursor = { ...short, device: 'phone', marksTaken: 0 };
      assert.deepEqual(await store().saveCursors([{ ...cursor, seq: number }]), []);
      assert.deepEqual(
        (await open('bob', 'phone')).positions.map((position) => [position.lastSeq, position.cursor]),
        [[2, undefined]],
      );
      const [marks] = await store().markRead([{ ...short, seq: 1 }]);
      assert.deepEqual([marks?.readSeq, marks?.deliveredSeq], [1, 0]);
    });

    it(`takes the others that stand beside ${number}`, async () => {
      await begin();
      const reached = [number, 2].map((seq) => ({ ...short, seq }));
      const marks = await store().markRead(reached);
      assert.deepEqual(
        marks.map((mark) => mark?.readSeq),
        [undefined, 2],
      );
      const moved = await store().saveCursors(
        reached.map((place) => ({ ...place, device: 'phone', marksTaken: 0 })),
      );
      assert.deepEqual(
        moved.map(({ deliveredSeq }) => deliveredSeq),
        [2],
      );
    });

    it(`reads from ${number} on, and before it`, async () => {
      await begin();
      const seqs = (entries: Entry[]) => entries.map(({ seq }) => seq);
      const isBeyond = number > 2;
      const [after, before] = [
        await store().entries([{ conversation: 'ada:bob', after: number }], 9),
        await store().entriesBefore('ada:bob', number, 9),
      ];
      assert.deepEqual(seqs(after), isBeyond ? [] : [1, 2]);
      assert.deepEqual(seqs(before), isBeyond ? [2, 1] : []);
      const page = await store().conversations('bob', { sentAt: number, id: 'ada:bob' }, 9);
      assert.equal(page.length, isBeyond ? 1 : 0);
      assert.deepEqual(await store().entries([{ conversation: 'ada:bob', after: 0 }], 0), []);
    });

    it(`tells the state after revision ${number}`, async () => {
      await begin();
      await store().markRead([{ ...short, seq: 1 }]);
      const { revision, marks } = await store().stateAfter('bob', number);
      assert.deepEqual([revision, marks.length], number > 1 ? [1, 0] : [1, 1]);
      const range = { conversation: 'ada:bob', after: number };
      assert.equal((await store().marksAfter([range])).length, number > 2 ? 0 : 2);
      assert.deepEqual(await store().newestAt([{ conversation: 'ada:bob', lastSeq: 2, at: number }]), [
        number > 2 ? 2 : 0,
      ]);
    });
  }
}

function draft(sender: string, friend: string, body: string): Draft {
  const members = [sender, friend].sort();
  const conversation = directConversation(sender, friend);
  const hash = contentHash(body);
  return { conversation, members, sender, clientId: `id ${body}`, contentHash: hash, body, clientTime: 0n };
}
