import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { directConversation } from '../conversation-id.ts';
import type { Commit, Draft, MessageStore, SharedLog } from '../ports.ts';
import { contentHash } from '../send.ts';

export interface SharedStore extends AsyncDisposable {
  /** Two nodes on the same data. */
  nodes: [MessageStore & SharedLog, MessageStore & SharedLog];
}

/** What a message store promises besides where several processes share it. */
export function sharedStoreContract(name: string, open: () => Promise<SharedStore>): void {
  describe(`${name} keeps the promises of a message store to several nodes`, () => {
    let shared: SharedStore;
    beforeEach(async () => {
      shared = await open();
    });
    afterEach(() => shared[Symbol.asyncDispose]());

    it('stays free of gaps while both write to the same conversations, new ones among them', async () => {
      const [one, other] = shared.nodes;
      const friends = ['bob', 'cleo', 'dan', 'eve', 'fay'];
      const batch = (node: string, i: number) =>
        friends.map((friend) => draft('ada', friend, `${node}${i}`)).sort(() => (i % 2 ? -1 : 1));
      await Promise.all([
        ...Array.from({ length: 100 }, (_, i) => one.commit(batch('one', i), i)),
        ...Array.from({ length: 100 }, (_, i) => other.commit(batch('other', i), i)),
      ]);
      for (const friend of friends) {
        const conversation = directConversation('ada', friend);
        const entries = await one.entries([{ conversation, after: 0 }], 1_000);
        assert.deepEqual(
          entries.map((e) => e.seq),
          Array.from({ length: 200 }, (_, i) => i + 1),
        );
        for (const node of ['one', 'other'])
          assert.deepEqual(
            entries.map((e) => e.body).filter((body) => body.replace(/\d+/, '') === node),
            Array.from({ length: 100 }, (_, i) => `${node}${i}`),
          );
      }
    });

    it('journals what both have committed, each batch once, in the order of its node', async () => {
      const [one, other] = shared.nodes;
      await one.commit([draft('zoe', 'zoe', 'x')], 1);
      const start = await one.journalEnd();
      const commit = (node: MessageStore, friend: string) =>
        Promise.all(Array.from({ length: 50 }, (_, i) => node.commit([draft('ada', friend, `${i}`)], i)));
      const writing = Promise.all([commit(one, 'bob'), commit(other, 'cleo')]);
      const commits: Commit[] = [];
      for (let cursor = start; commits.length < 100; ) {
        const page = await other.journal(cursor, 7);
        assert.ok(page);
        commits.push(...page.commits);
        cursor = page.cursor;
      }
      await writing;
      for (const conversation of ['ada:bob', 'ada:cleo'])
        assert.deepEqual(
          commits.filter((c) => c.conversation === conversation).map((c) => c.lastSeq),
          Array.from({ length: 50 }, (_, i) => i + 1),
        );
    });

    it('commits a client id that both take at the same moment once, and answers both with it', async () => {
      const [one, other] = shared.nodes;
      for (let i = 0; i < 50; i++) {
        const same = draft('ada', `friend${i % 10}`, 'hello', `id-${i}`);
        const outcomes = (await Promise.all([one.commit([same], i), other.commit([same], i)])).flat();
        assert.deepEqual(outcomes.map((outcome) => outcome.kind).sort(), ['committed', 'duplicate']);
        assert.equal(outcomes[0]?.seq, outcomes[1]?.seq);
        assert.equal(outcomes[0]?.sentAt, outcomes[1]?.sentAt);
      }
    });

    it('tells each what the other has written, messages and marks, and not what it wrote itself', async () => {
      const [one, other] = shared.nodes;
      await one.commit([draft('ada', 'bob', '1')], 1);
      assert.deepEqual(
        (await other.news())?.commits.map(({ lastSeq }) => lastSeq),
        [1],
      );
      await one.commit([draft('ada', 'bob', '2'), draft('ada', 'cleo', '1')], 2);
      const [read] = await one.markRead([{ user: 'bob', conversation: 'ada:bob', seq: 2 }]);
      await one.saveCursors([
        { user: 'cleo', device: 'phone', conversation: 'ada:cleo', seq: 1, marksTaken: 0 },
      ]);
      const news = await other.news();
      assert.deepEqual(news?.commits.map(({ conversation, lastSeq }) => [conversation, lastSeq]).sort(), [
        ['ada:bob', 2],
        ['ada:cleo', 1],
      ]);
      assert.deepEqual(
        news.marks.map(({ member, readSeq, deliveredSeq }) => [member, readSeq, deliveredSeq]).sort(),
        [
          ['bob', 2, 0],
          ['cleo', 0, 1],
        ],
      );
      assert.deepEqual(
        news.marks.find(({ member }) => member === 'bob'),
        read,
      );
      assert.deepEqual(await other.news(), { commits: [], marks: [] });
      assert.deepEqual(await one.news(), { commits: [], marks: [] });
    });

    it('tells of everything when much was written, and when both write at once', async () => {
      const [one, other] = shared.nodes;
      const heard = new Map<number, number>();
      const listen = async () => {
        for (const { lastSeq } of (await other.news())?.commits ?? [])
          heard.set(lastSeq, (heard.get(lastSeq) ?? 0) + 1);
      };
      const writing = [one, other].map((node) =>
        Promise.all(Array.from({ length: 450 }, (_, i) => node.commit([draft('ada', 'bob', `${i}`)], i))),
      );
      await listen();
      const [outcomes = []] = await Promise.all(writing);
      await listen();
      assert.deepEqual(
        [...heard.keys()].sort((a, b) => a - b),
        outcomes.map(([outcome]) => outcome?.seq ?? 0),
      );
      assert.ok([...heard.values()].every((times) => times === 1));
    });

    it('opens a device at both in the same moment, and revises marks without a hole', async () => {
      const [one, other] = shared.nodes;
      await one.commit([draft('ada', 'bob', '1'), draft('ada', 'bob', '2')], 1);
      const arrival = { now: 5, baseAt: 5, maxDevices: 50, openDevices: [], epoch: '' };
      const opened = await Promise.all([one, other].map((node) => node.openDevice('bob', 'phone', arrival)));
      assert.deepEqual(
        opened.map(({ baseAt }) => baseAt),
        [5, 5],
      );
      const reached = { conversation: 'ada:bob', device: 'phone', marksTaken: 0 };
      const moved = await Promise.all([
        one.saveCursors([{ ...reached, user: 'bob', seq: 1 }]),
        other.saveCursors([{ ...reached, user: 'ada', seq: 1 }]),
        one.markRead([{ user: 'bob', conversation: 'ada:bob', seq: 1 }]),
        other.markRead([{ user: 'bob', conversation: 'ada:bob', seq: 2 }]),
      ]);
      const revisions = moved.flat().flatMap((mark) => mark?.marksRevision ?? []);
      const last = Math.max(
        ...(await one.marksAfter([{ conversation: 'ada:bob', after: 0 }])).map((m) => m.marksRevision),
      );
      assert.deepEqual(new Set(revisions), new Set(Array.from({ length: last - 1 }, (_, i) => i + 2)));
    });

    it('moves marks forward only, whoever moves them', async () => {
      const [one, other] = shared.nodes;
      await one.commit(
        Array.from({ length: 20 }, (_, i) => draft('ada', 'bob', `${i}`)),
        1,
      );
      const reached = { user: 'bob', conversation: 'ada:bob' };
      const seqs = Array.from({ length: 20 }, (_, i) => i + 1);
      await Promise.all(
        seqs.map((seq) =>
          [one, other][seq % 2]?.saveCursors([{ ...reached, device: 'phone', seq, marksTaken: 0 }]),
        ),
      );
      const revisions = await Promise.all(
        seqs.map((seq) => [one, other][seq % 2]?.markRead([{ ...reached, seq }])),
      );
      const { marks, revision } = await one.stateAfter('bob', 0);
      const marksRevision = marks[0]?.marksRevision ?? 0;
      assert.deepEqual(marks, [
        { conversation: 'ada:bob', member: 'bob', readSeq: 20, deliveredSeq: 20, revision, marksRevision },
      ]);
      assert.equal(Math.max(...revisions.flatMap((answer) => answer?.[0]?.revision ?? 0)), revision);
    });
  });
}

let lastId = 0;

function draft(sender: string, friend: string, body: string, clientId = `s${++lastId}`): Draft {
  const members = [...new Set([sender, friend])].sort();
  const conversation = directConversation(sender, friend);
  return { conversation, members, sender, clientId, contentHash: contentHash(body), body, clientTime: 0n };
}
