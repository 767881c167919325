import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { after, before, it } from 'mocha';
import {
  conversationsStub,
  detailsOf,
  Session,
  type SessionFrame,
  sessionStub,
  unary,
} from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import type { System } from '../outside/system.ts';
import { onEverySystem } from '../outside/systems.ts';

const UNLIMITED = { CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '1000000' };

onEverySystem('the opening of a session', (start) => {
  let system: System;
  before(async () => {
    system = await start({ ...UNLIMITED, CHATTERBOX_MAX_DEVICES: '3' });
  });
  after(() => system[Symbol.asyncDispose]());

  let people = 0;
  const person = (name: string): Promise<Account> => register(system.url, `${name}${++people}`);
  const open = ({ token }: Account, device: string, more: object = {}, opening: object = {}) =>
    new Session(sessionStub(system.url), { token }, { open: { device, ...opening }, ...more });
  const send = (from: Account, to: Account, text: string) =>
    unary(sessionStub(system.url), 'Send', { friend: to.username, text }, from);
  /** What a device is told, apart from how it is cut into frames. */
  const told = (frames: SessionFrame[]) => ({
    entries: frames
      .flatMap((f) => f.entries.map((e) => `${e.conversation} ${e.seq} ${e.message.text}`))
      .sort(),
    gaps: frames.flatMap((f) => f.gaps.map((g) => `${g.conversation} ${g.first_seq}-${g.last_seq}`)).sort(),
    listInbox: frames.at(-1)?.caught_up?.list_inbox,
  });

  it('tells a device the same again as long as it has acknowledged nothing, and what has come since', async () => {
    const [ada, bob, cleo] = await Promise.all(['ada', 'bob', 'cleo'].map(person));
    for (const text of ['a1', 'a2', 'a3']) await send(ada!, bob!, text);
    await send(cleo!, bob!, 'c1');
    const first = open(bob!, 'phone');
    const before = told(await first.caughtUp());
    assert.deepEqual(before.gaps, [`${ada!.username}:${bob!.username} 1-2`]);
    await first.cut();
    const second = open(bob!, 'phone');
    assert.deepEqual(told(await second.caughtUp()), before);
    assert.equal((await second.end()).code, status.OK, 'a clean end acknowledges nothing either');
    const dan = await person('dan');
    for (const text of ['d1', 'd2']) await send(dan, bob!, text);
    await send(ada!, bob!, 'a4');
    const third = open(bob!, 'phone');
    const since = told(await third.caughtUp());
    assert.deepEqual(since.gaps, before.gaps);
    assert.deepEqual(
      since.entries.map((entry) => entry.split(' ').at(-1)).sort(),
      ['a3', 'a4', 'c1', 'd1', 'd2'],
      'a conversation that begins later is told of from its first entry',
    );
    await third.end();
  });

  it('does not depend on what another device of the same user has', async () => {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map(person));
    const phone = open(bob!, 'phone');
    await phone.caughtUp();
    await send(ada!, bob!, 'a1');
    const [entry] = await phone.entries(1);
    phone.write({ acks: [{ conversation: entry!.conversation, seq: entry!.seq }] });
    await phone.end();
    const tablet = open(bob!, 'tablet');
    assert.equal(told(await tablet.caughtUp()).entries.length, 1);
    await tablet.end();
  });

  it('a half-close right after it does not end the session before what was missed is told', async () => {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map(person));
    const known = open(bob!, 'phone');
    await known.caughtUp();
    await known.end();
    const texts = Array.from({ length: 700 }, (_, i) => `${i}`);
    const writer = open(ada!, 'phone');
    await writer.caughtUp();
    writer.write({ sends: texts.map((text) => ({ friend: bob!.username, text, client_id: `c${text}` })) });
    await writer.end();
    const session = open(bob!, 'phone');
    assert.equal((await session.end()).code, status.OK);
    assert.equal(session.received.flatMap((f) => f.entries).length, 700);
    assert.ok(session.received.at(-1)?.caught_up);
  });

  it('tells of a place beyond the end of a conversation, by the device’s word or its acknowledgement, by beginning anew', async () => {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map(person));
    for (const text of ['a1', 'a2', 'a3']) await send(ada!, bob!, text);
    const conversation = `${ada!.username}:${bob!.username}`;
    const expected = { entries: [`${conversation} 3 a3`], gaps: [`${conversation} 1-2`], listInbox: false };
    const session = open(bob!, 'phone', { positions: [{ conversation, seq: '10' }] });
    assert.deepEqual(told(await session.caughtUp()), expected);
    session.write({ acks: [{ conversation, seq: '10' }] });
    const anew = await session.until((frame) => frame.entries.length > 0);
    assert.deepEqual(told(anew), { ...expected, listInbox: undefined });
    assert.equal((await session.end()).code, status.OK);
    const next = open(bob!, 'phone', { positions: [{ conversation, seq: '99' }] });
    const [first] = await next.caughtUp();
    assert.ok(first?.opened?.epoch);
    assert.equal(
      first.opened.epoch,
      session.received[0]?.opened?.epoch,
      'no device’s word begins a new epoch',
    );
    await next.end();
  });

  it('takes an acknowledgement of what the device learnt elsewhere', async () => {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map(person));
    const session = open(ada!, 'phone');
    await session.caughtUp();
    const { conversation, seq } = await send(ada!, bob!, 'from another connection');
    session.write({ acks: [{ conversation, seq }], ping: { number: '1' } });
    await session.until((frame) => frame.pong !== null);
    assert.equal((await session.end()).code, status.OK);
  });

  it('a device beyond the most takes the place of the longest unseen, which is new when it comes back', async () => {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map(person));
    const phone = open(bob!, 'phone');
    await phone.caughtUp();
    for (const text of ['a1', 'a2']) await send(ada!, bob!, text);
    const [, last] = await phone.entries(2);
    phone.write({ acks: [{ conversation: last!.conversation, seq: last!.seq }] });
    await phone.end();
    for (const device of ['tablet', 'desk', 'watch']) {
      const session = open(bob!, device);
      await session.caughtUp();
      await session.end();
    }
    const back = open(bob!, 'phone');
    const { entries, gaps } = told(await back.caughtUp());
    assert.deepEqual(
      [entries.map((entry) => entry.split(' ').at(-1)), gaps],
      [['a2'], [`${ada!.username}:${bob!.username} 1-1`]],
    );
    await back.end();
  });

  for (const [what, frame, field] of [
    [
      'an acknowledgement of less than the first entry',
      { acks: [{ conversation: 'a:b', seq: '-1' }] },
      'acks.seq',
    ],
    ['an acknowledgement of nothing', { acks: [{ conversation: 'a:b', seq: '0' }] }, 'acks.seq'],
    ['one of more than can be', { acks: [{ conversation: 'a:b', seq: '9007199254740992' }] }, 'acks.seq'],
    ['a revision that is negative', { acks: [{ seq: '1', marks_revision: '-1' }] }, 'acks.marks_revision'],
    ['positions after the opening', { positions: [{ conversation: 'a:b', seq: '1' }] }, 'positions'],
    ['more positions after the opening', { more_positions: true }, 'positions'],
    ['too many sends', { sends: Array.from({ length: 1_001 }, () => ({})) }, 'sends'],
    ['too many acknowledgements', { acks: Array.from({ length: 5_001 }, () => ({})) }, 'acks'],
    ['too many reads', { reads: Array.from({ length: 1_001 }, () => ({})) }, 'reads'],
  ] as const) {
    it(`${what} ends the session as a mistake of the client`, async () => {
      const session = open(await person('eve'), 'phone');
      await session.caughtUp();
      session.write(frame);
      const end = await session.ended;
      assert.deepEqual([end.code, detailsOf(end).fields], [status.INVALID_ARGUMENT, [field]]);
    });
  }

  for (const [what, opening, positions, field] of [
    ['a negative revision', { revision: '-1' }, [], 'open.revision'],
    ['a negative position', {}, [{ conversation: 'a:b', seq: '-5' }], 'positions.seq'],
    [
      'a long name of a conversation',
      {},
      [{ conversation: 'a'.repeat(130), seq: '1' }],
      'positions.conversation',
    ],
  ] as const) {
    it(`${what} opens no session`, async () => {
      const end = await open(await person('eve'), 'phone', { positions }, opening).ended;
      assert.deepEqual([end.code, detailsOf(end).fields], [status.INVALID_ARGUMENT, [field]]);
    });
  }

  it('takes 20,000 positions in all, and no more', async () => {
    const eve = await person('eve');
    const frames = (count: number) =>
      Array.from({ length: count / 500 }, (_, frame) => ({
        positions: Array.from({ length: 500 }, (_, i) => ({
          conversation: `${eve.username}:z${frame * 500 + i}`,
          seq: '1',
        })),
        more_positions: frame + 1 < count / 500,
      }));
    for (const [count, code] of [
      [20_000, status.OK],
      [20_500, status.INVALID_ARGUMENT],
    ] as const) {
      const session = open(eve, 'phone', { more_positions: true });
      for (const frame of frames(count)) session.write(frame);
      assert.equal((await session.end()).code, code);
    }
  });

  it('one bad read in a frame fails alone', async () => {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map(person));
    await send(ada!, bob!, 'a1');
    const conversation = `${ada!.username}:${bob!.username}`;
    const session = open(bob!, 'phone');
    await session.caughtUp();
    const reads = [
      { conversation, seq: '7' },
      { conversation: 'x:y', seq: '1' },
      { conversation, seq: '-1' },
      { conversation, seq: '1' },
    ];
    session.write({ reads, ping: { number: '1' } });
    const frames = await session.until((frame) => frame.pong !== null);
    const refused = [...frames.flatMap((f) => f.refused_reads)];
    assert.deepEqual(
      refused.map((r) => [r.conversation, r.seq, r.error.code]).sort(),
      [
        [conversation, '7', status.NOT_FOUND],
        ['x:y', '1', status.NOT_FOUND],
        [conversation, '-1', status.INVALID_ARGUMENT],
      ].sort(),
    );
    const { conversations } = await unary(conversationsStub(system.url), 'ListConversations', {}, bob!);
    assert.equal(conversations[0].unread, '0');
    await session.end();
  });

  it('answers each of several pings in one turn', async () => {
    const session = open(await person('eve'), 'phone');
    await session.caughtUp();
    for (const number of ['1', '2', '3']) session.write({ ping: { number } });
    const pongs: (string | undefined)[] = [];
    while (pongs.length < 3)
      pongs.push(...(await session.next().then((f) => (f.pong ? [f.pong.number] : []))));
    assert.deepEqual(pongs, ['1', '2', '3']);
    await session.end();
  });

  it('names in each answer the conversation that the send was for, and gives none of one’s own sends back', async () => {
    const [ada, bob, cleo] = await Promise.all(['ada', 'bob', 'cleo'].map(person));
    const session = open(ada!, 'phone');
    await session.caughtUp();
    const to = (friend: Account, text: string) => ({ friend: friend.username, text, client_id: 'same' });
    session.write({
      sends: [to(bob!, 'x'), to(cleo!, 'x'), to(bob!, 'other'), { friend: 'no such', client_id: 'same' }],
    });
    const results: SessionFrame['results'] = [];
    while (results.length < 4) results.push(...(await session.next()).results);
    const name = (friend: Account) => [ada!.username, friend.username].sort().join(':');
    assert.deepEqual(
      results.map((r) => [r.conversation, r.sent?.seq ?? r.error?.code]).sort(),
      [
        [name(bob!), '1'],
        [name(cleo!), '1'],
        [name(bob!), status.ALREADY_EXISTS],
        ['', status.INVALID_ARGUMENT],
      ].sort(),
    );
    await session.end();
    assert.deepEqual(
      session.received.flatMap((f) => f.entries),
      [],
    );
  });
});
