import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { after, before, it } from 'mocha';
import { conversationsStub, detailsOf, failure, Session, sessionStub, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { type System, spawnServer } from '../outside/system.ts';
import { onEverySystem } from '../outside/systems.ts';

const UNLIMITED = { CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '1000000' };

onEverySystem('a session', (start) => {
  let system: System;
  before(async () => {
    system = await start(UNLIMITED);
  });
  after(() => system[Symbol.asyncDispose]());

  let pairs = 0;
  async function pair(): Promise<{ ada: Account; bob: Account; conversation: string }> {
    const n = ++pairs;
    const [ada, bob] = await Promise.all([register(system.url, `ada${n}`), register(system.url, `bob${n}`)]);
    return { ada, bob, conversation: `ada${n}:bob${n}` };
  }
  const open = ({ token }: Account, device = 'phone', more: object = {}, opening: object = {}) =>
    new Session(sessionStub(system.url), { token }, { open: { device, ...opening }, ...more });
  const texts = (entries: { message: { text: string } }[]) => entries.map((e) => e.message.text);
  const sends = (friend: Pick<Account, 'username'>, ...messages: string[]) => ({
    sends: messages.map((text) => ({ friend: friend.username, text, client_id: `c-${text.split(' ')[0]}` })),
  });
  const send = (from: Account, to: Account, text: string) =>
    unary(sessionStub(system.url), 'Send', { friend: to.username, text }, from);

  it('says that it has caught up, then carries messages both ways, many in one frame', async () => {
    const { ada, bob, conversation } = await pair();
    const [hers, his] = [open(ada), open(bob)];
    await Promise.all([hers.caughtUp(), his.caughtUp()]);
    hers.write(sends(bob, 'a', 'b', 'c'));
    const received = await his.entries(3);
    assert.deepEqual(texts(received), ['a', 'b', 'c']);
    assert.deepEqual(
      received.map((e) => e.seq),
      ['1', '2', '3'],
    );
    const results = (await hers.until((f) => f.results.length > 0)).flatMap((f) => f.results);
    assert.deepEqual(
      results.map((r) => [r.client_id, r.sent?.conversation, r.sent?.seq]),
      [
        ['c-a', conversation, '1'],
        ['c-b', conversation, '2'],
        ['c-c', conversation, '3'],
      ],
    );
    assert.deepEqual(
      hers.received.flatMap((f) => f.entries),
      [],
      'own messages are answered, not delivered',
    );
    await Promise.all([hers.end(), his.end()]);
  });

  it('one bad send in a frame fails alone, with its error', async () => {
    const { ada, bob } = await pair();
    const session = open(ada);
    await session.caughtUp();
    session.write({
      sends: [
        { friend: bob.username, text: 'good', client_id: '1' },
        { friend: 'nobody-of-that-name', text: 'x', client_id: '2' },
        { friend: bob.username, text: '', client_id: '3' },
        { friend: bob.username, text: 'no id' },
        { friend: bob.username, text: 'also good', client_id: '5' },
      ],
    });
    const results = new Map<string, number>();
    while (results.size < 5)
      for (const r of (await session.next()).results) results.set(r.client_id, r.error?.code ?? 0);
    assert.deepEqual(Object.fromEntries(results), {
      1: status.OK,
      2: status.NOT_FOUND,
      3: status.INVALID_ARGUMENT,
      '': status.INVALID_ARGUMENT,
      5: status.OK,
    });
    await session.end();
  });

  it('a device that comes back gets what it has not acknowledged, from all conversations, then caught_up', async () => {
    const { ada, bob } = await pair();
    const { ada: cleo } = await pair();
    const first = open(bob);
    await first.caughtUp();
    for (const text of ['a1', 'a2', 'a3']) await send(ada, bob, text);
    await send(cleo, bob, 'c1');
    const [, second] = (await first.entries(4)).filter((e) => e.sender === ada.username);
    first.write({ acks: [{ conversation: second?.conversation, seq: second?.seq }] });
    await first.end();
    const back = open(bob);
    const missed = (await back.caughtUp()).flatMap((f) => f.entries);
    assert.deepEqual(texts(missed).toSorted(), ['a3', 'c1']);
    await send(ada, bob, 'live');
    assert.deepEqual(texts(await back.entries(1)), ['live']);
    await back.end();
  });

  it('a new device begins with the newest entry of each conversation, and is told what it leaves out', async () => {
    const { ada, bob, conversation } = await pair();
    for (const text of ['a1', 'a2', 'a3']) await send(ada, bob, text);
    const session = open(bob);
    const frames = await session.caughtUp();
    assert.deepEqual(texts(frames.flatMap((f) => f.entries)), ['a3']);
    assert.deepEqual(
      frames.flatMap((f) => f.gaps),
      [{ conversation, first_seq: '1', last_seq: '2' }],
    );
    await session.end();
  });

  it('a device may say where it is, over several frames', async () => {
    const { ada, bob, conversation } = await pair();
    for (const text of ['a1', 'a2', 'a3']) await send(ada, bob, text);
    const session = open(bob, 'desk', { more_positions: true });
    session.write({ positions: [{ conversation, seq: '1' }] });
    assert.deepEqual(texts((await session.caughtUp()).flatMap((f) => f.entries)), ['a2', 'a3']);
    await session.end();
  });

  it('two devices acknowledge apart', async () => {
    const { ada, bob } = await pair();
    const [phone, desk] = [open(bob, 'phone'), open(bob, 'desk')];
    await Promise.all([phone.caughtUp(), desk.caughtUp()]);
    await send(ada, bob, 'a1');
    const [entry] = await phone.entries(1);
    await desk.entries(1);
    phone.write({ acks: [{ conversation: entry?.conversation, seq: entry?.seq }] });
    await Promise.all([phone.end(), desk.end()]);
    const [phoneAgain, deskAgain] = [open(bob, 'phone'), open(bob, 'desk')];
    assert.deepEqual(texts((await phoneAgain.caughtUp()).flatMap((f) => f.entries)), []);
    assert.deepEqual(texts((await deskAgain.caughtUp()).flatMap((f) => f.entries)), ['a1']);
    await Promise.all([phoneAgain.end(), deskAgain.end()]);
  });

  it('read and delivered marks reach the other side and one’s other devices, and move forward only', async () => {
    const { ada, bob, conversation } = await pair();
    const [hers, his, hisDesk] = [open(ada), open(bob), open(bob, 'desk')];
    await Promise.all([hers.caughtUp(), his.caughtUp(), hisDesk.caughtUp()]);
    for (const text of ['1', '2', '3']) await send(ada, bob, text);
    await his.entries(3);
    his.write({ acks: [{ conversation, seq: '3' }] });
    const has = (what: object) => (f: { marks: object[] }) =>
      f.marks.some((m) => Object.entries(what).every(([k, v]) => (m as Record<string, unknown>)[k] === v));
    await hers.until(has({ member: bob.username, delivered_seq: '3', read_seq: '0' }));
    his.write({ reads: [{ conversation, seq: '2' }] });
    await hers.until(has({ member: bob.username, read_seq: '2' }));
    await hisDesk.until(has({ member: bob.username, read_seq: '2', revision: '1' }));
    const mark = (seq: string) =>
      unary(conversationsStub(system.url), 'MarkRead', { conversation, seq }, bob);
    assert.equal((await mark('1')).marks.read_seq, '2');
    assert.equal((await mark('3')).marks.read_seq, '3');
    assert.equal((await failure(mark('4'))).code, status.NOT_FOUND);
    await Promise.all([hers.end(), his.end(), hisDesk.end()]);
  });

  it('a device that was away learns what changed in marks since its revision', async () => {
    const { ada, bob, conversation } = await pair();
    await send(ada, bob, '1');
    await unary(conversationsStub(system.url), 'MarkRead', { conversation, seq: '1' }, bob);
    const session = open(bob);
    const frames = await session.caughtUp();
    const own = frames.flatMap((f) => f.marks).filter((m) => m.member === bob.username);
    assert.deepEqual(new Set(own.map((m) => `${m.read_seq} ${m.revision}`)), new Set(['1 1']));
    assert.equal(frames.at(-1)?.caught_up?.revision, '1');
    // What it acknowledges with an entry, or says when it opens, does not come again.
    const marksRevision = own[0]?.marks_revision;
    session.write({ acks: [{ conversation, seq: '1', marks_revision: marksRevision }] });
    await session.end();
    const knowing = open(bob, 'phone', {}, { revision: '1' });
    const told = (await knowing.caughtUp()).flatMap((f) => f.marks).filter((m) => m.member === bob.username);
    assert.deepEqual(
      told.map((m) => [m.read_seq, m.delivered_seq, m.marks_revision]),
      [['1', '1', '3']],
      'that it was delivered is new',
    );
    await knowing.end();
    const positions = [{ conversation, seq: '1', marks_revision: '3' }];
    const upToDate = open(bob, 'phone', { positions }, { revision: '1' });
    assert.deepEqual(
      (await upToDate.caughtUp()).flatMap((f) => f.marks),
      [],
    );
    await upToDate.end();
  });

  it('unread counts the messages after one’s read mark; sending moves it', async () => {
    const { ada, bob } = await pair();
    for (const text of ['1', '2', '3']) await send(ada, bob, text);
    const unread = async (who: Account) =>
      (await unary(conversationsStub(system.url), 'ListConversations', {}, who)).conversations[0].unread;
    const total = (who: Account) => unary(conversationsStub(system.url), 'CountUnread', {}, who);
    assert.deepEqual([await unread(ada), await unread(bob)], ['0', '3']);
    assert.deepEqual(await total(bob), { messages: '3', conversations: '1' });
    await send(bob, ada, '4');
    assert.deepEqual([await unread(ada), await unread(bob)], ['1', '0']);
    assert.deepEqual(await total(bob), { messages: '0', conversations: '0' });
  });

  it('is ended by a newer session of its device, and told why', async () => {
    const { bob } = await pair();
    const older = open(bob);
    await older.caughtUp();
    const newer = open(bob);
    await newer.caughtUp();
    const end = await older.ended;
    assert.deepEqual([end.code, detailsOf(end).reason], [status.ABORTED, 'SESSION_REPLACED']);
    assert.equal(older.received.at(-1)?.notice?.reason, 'SESSION_REPLACED');
    await newer.end();
  });

  it('ends at its maximum age and can be resumed', async () => {
    const short = await start({ CHATTERBOX_STREAM_MAX_AGE_SECONDS: '1' });
    try {
      const eve = await register(short.url, 'eve');
      const session = new Session(sessionStub(short.url), eve, { open: { device: 'phone' } });
      const end = await session.ended;
      assert.deepEqual([end.code, detailsOf(end).reason], [status.UNAVAILABLE, 'RECONNECT']);
      assert.equal(session.received.at(-1)?.notice?.reason, 'RECONNECT');
    } finally {
      await short[Symbol.asyncDispose]();
    }
  });

  for (const [what, first, field] of [
    ['a first frame that does not open', { ping: { number: '1' } }, 'open'],
    ['a device name with spaces', { open: { device: 'my phone' } }, 'open.device'],
    ['no device name', { open: {} }, 'open.device'],
    [
      'too many positions',
      { open: { device: 'x' }, positions: Array.from({ length: 501 }, () => ({})) },
      'positions',
    ],
  ] as const) {
    it(`${what} is refused`, async () => {
      const { bob } = await pair();
      const end = await new Session(sessionStub(system.url), bob, first).ended;
      assert.deepEqual([end.code, detailsOf(end).fields], [status.INVALID_ARGUMENT, [field]]);
    });
  }

  it('answers pings, in the order of the frames', async () => {
    const { bob } = await pair();
    const session = open(bob);
    await session.caughtUp();
    session.write({ ping: { number: '7' } });
    assert.equal((await session.until((f) => f.pong !== null)).at(-1)?.pong?.number, '7');
    await session.end();
  });

  it('catches up on 5,000 entries while others go on writing, in order and without a repeat', async () => {
    const { ada, bob } = await pair();
    const first = open(bob);
    await first.caughtUp();
    await first.end();
    const writer = open(ada);
    await writer.caughtUp();
    const write = (from: number, to: number) => {
      for (let at = from; at < to; at += 100) {
        writer.write(sends(bob, ...Array.from({ length: Math.min(100, to - at) }, (_, i) => String(at + i))));
      }
    };
    write(0, 5_000);
    let answered = 0;
    while (answered < 5_000) answered += (await writer.next()).results.length;
    const back = open(bob);
    write(5_000, 7_000);
    const entries = await back.entries(7_000);
    assert.deepEqual(
      texts(entries),
      Array.from({ length: 7_000 }, (_, i) => String(i)),
    );
    await Promise.all([writer.end(), back.end()]);
  });

  it('a reader that stops while 50,000 messages arrive costs the server little memory, and then gets them all', async function () {
    this.timeout(120_000);
    const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    await using server = await spawnServer({ DATA_DIR: dataDir, ...UNLIMITED });
    const [ada, bob] = await Promise.all([register(server.url, 'ada'), register(server.url, 'bob')]);
    const stalled = new Session(sessionStub(server.url), bob, { open: { device: 'phone' } });
    const writer = new Session(sessionStub(server.url), ada, { open: { device: 'phone' } });
    await Promise.all([stalled.caughtUp(), writer.caughtUp()]);
    stalled.pause();
    let answered = 0;
    const memory: number[] = [];
    for (let at = 0; at < 50_000; at += 50) {
      writer.write(sends(bob, ...Array.from({ length: 50 }, (_, i) => `${at + i} ${'x'.repeat(1_000)}`)));
      while (answered < at) answered += (await writer.next()).results.length;
      if (at % 10_000 === 0) memory.push(residentBytes(server.pid));
    }
    while (answered < 50_000) answered += (await writer.next()).results.length;
    const grown = residentBytes(server.pid) - (memory[2] ?? 0);
    assert.ok(grown < 20_000_000, `grew by ${grown} bytes while the last 30 MB of text arrived`);
    stalled.resume();
    const entries = await stalled.entries(50_000);
    assert.ok(entries.every((e, i) => e.seq === String(i + 1)));
    await Promise.all([writer.end(), stalled.end()]);
    rmSync(dataDir, { recursive: true });
  });
});

function residentBytes(pid: number): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
  return Number(pages) * 4096;
}
