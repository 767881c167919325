import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { after, before, it } from 'mocha';
import { eventually } from '../outside/eventually.ts';
import {
  Chat,
  chatStub,
  conversationsStub,
  detailsOf,
  failure,
  oldChatStub,
  streamAll,
  unary,
} from '../outside/grpc.ts';
import { type Account, call, login, register } from '../outside/http.ts';
import type { System } from '../outside/system.ts';
import { onEverySystem } from '../outside/systems.ts';

onEverySystem('chatting', (start) => {
  let system: System;
  before(async () => {
    system = await start();
  });
  after(() => system[Symbol.asyncDispose]());

  /** Two people whom nobody else in this file knows. */
  let pairs = 0;
  async function pair(): Promise<{ ada: Account; bob: Account; conversation: string }> {
    const n = ++pairs;
    const [ada, bob] = await Promise.all([register(system.url, `ada${n}`), register(system.url, `bob${n}`)]);
    return { ada, bob, conversation: `ada${n}:bob${n}` };
  }
  const open = async (account: Account, metadata: Record<string, string> = {}) => {
    const chat = new Chat(chatStub(system.url), { token: account.token, metadata });
    await chat.opened();
    return chat;
  };
  const send = (from: Account, to: Account, message: string, more: object = {}) =>
    unary(
      chatStub(system.url),
      'SendMessage',
      { friend: to.username, message, ...more },
      { token: from.token },
    );

  it('people register, become friends, and find each other in their contacts, last chatted first', async () => {
    const { ada, bob } = await pair();
    const asked = await call(system.url, 'POST', '/chat/friends/requests', {
      token: ada.token,
      json: { username: bob.username },
    });
    assert.equal(asked.status, 201);
    const accepted = await call(system.url, 'POST', `/chat/friends/requests/${ada.username}/accept`, {
      token: bob.token,
    });
    assert.equal(accepted.status, 200);
    const contacts = () => call(system.url, 'GET', `/chat?userid=${ada.username}`, { token: ada.token });
    assert.deepEqual((await contacts()).body, { contact_list_: [{ name: bob.username, lastChat: '' }] });
    const { sent_at } = await send(ada, bob, 'hello');
    const expected = new Date(Number(sent_at)).toISOString();
    await eventually(async () => assert.equal((await contacts()).body.contact_list_[0].lastChat, expected));
  });

  it('a message by each of the three calls reaches a friend who is online, in order', async () => {
    const { ada, bob, conversation } = await pair();
    const listening = await open(bob);
    const sent = await send(ada, bob, 'one');
    assert.deepEqual(
      { deliveryStatus: sent.deliveryStatus, conversation: sent.conversation, seq: sent.seq },
      { deliveryStatus: true, conversation, seq: '1' },
    );
    assert.match(sent.client_id, /^[0-9a-f-]{36}$/);
    const many = await streamAll(
      chatStub(system.url),
      ['two', 'three'].map((message) => ({ friend: bob.username, message })),
      { token: ada.token },
    );
    assert.deepEqual([many.deliveryStatus, many.committed, many.failed], [true, 2, 0]);
    const talking = await open(ada);
    talking.write({ friend: bob.username, message: 'four', client_id: 'four-1', timestamp: '77' });
    const answer = await talking.next();
    assert.deepEqual([answer.client_id, answer.seq, answer.message], ['four-1', '4', 'four']);

    const received = await listening.take(4);
    assert.deepEqual(
      received.map((m) => m.message),
      ['one', 'two', 'three', 'four'],
    );
    assert.deepEqual(
      received.map((m) => m.seq),
      ['1', '2', '3', '4'],
    );
    assert.deepEqual(
      [received[3]?.user, received[3]?.friend, received[3]?.timestamp],
      [ada.username, bob.username, '77'],
    );
    await Promise.all([listening.end(), talking.end()]);
  });

  it('the first app, with its old stub, sends to and receives from a new one', async () => {
    const { ada, bob } = await pair();
    const old = new Chat(oldChatStub(system.url), { token: ada.token });
    await old.opened();
    const listening = await open(bob);
    old.write({
      user: `"${ada.username}"`,
      friend: `"${bob.username}"`,
      message: 'from long ago',
      timestamp: '1',
    });
    assert.equal((await listening.next()).message, 'from long ago');
    listening.write({ friend: ada.username, message: 'from today', client_id: 'x' });
    assert.deepEqual(await old.next(), {
      user: bob.username,
      friend: ada.username,
      message: 'from today',
      timestamp: '0',
    });
    assert.equal(old.received.length, 1, 'its own message is not sent back to it');
    const answer = await unary(
      oldChatStub(system.url),
      'SendMessage',
      { friend: bob.username, message: 'x' },
      ada,
    );
    assert.deepEqual(answer, { deliveryStatus: true });
    await Promise.all([old.end(), listening.end()]);
  });

  it('somebody who was away gets what they missed first, once, from every conversation', async () => {
    const { ada, bob } = await pair();
    const { ada: cleo } = await pair();
    for (let i = 1; i <= 3; i++) await send(ada, bob, `a${i}`);
    await send(cleo, bob, 'c1');
    const first = await open(bob);
    const missed = await first.take(4);
    assert.deepEqual(
      missed.filter((m) => m.user === ada.username).map((m) => m.message),
      ['a1', 'a2', 'a3'],
    );
    assert.deepEqual(
      missed.filter((m) => m.user === cleo.username).map((m) => m.message),
      ['c1'],
    );
    assert.equal((await first.end()).code, status.OK);
    await send(ada, bob, 'a4');
    const second = await open(bob);
    assert.equal((await second.next()).message, 'a4');
    await second.end();
    assert.equal(second.received.length, 1);
  });

  it('what was written to a stream that broke comes again, with the same seq', async () => {
    const { ada, bob } = await pair();
    await send(ada, bob, 'fragile');
    const first = await open(bob);
    const before = await first.next();
    await first.cut();
    const second = await open(bob);
    assert.deepEqual(await second.next(), before);
    await second.end();
  });

  it('a cancelled stream is never taken for a clean end, whenever it is cancelled', async () => {
    const { ada, bob } = await pair();
    const devices = Array.from({ length: 30 }, (_, round) => ({ 'chatterbox-device': `device-${round}` }));
    for (const device of devices) await (await open(bob, device)).end();
    for (let i = 0; i < 3; i++) await send(ada, bob, `m${i}`);
    for (const [round, device] of devices.entries()) {
      const stream = await open(bob, device);
      await stream.take(3);
      if (round % 3 === 1) stream.write({ friend: ada.username, message: 'hello', client_id: `r${round}` });
      if (round % 3 === 2) await new Promise((resolve) => setTimeout(resolve, round));
      await stream.cut();
      const again = await open(bob, device);
      assert.deepEqual(
        (await again.take(3)).map((m) => m.message),
        ['m0', 'm1', 'm2'],
        `round ${round}`,
      );
      await again.cut();
    }
  });

  it('a message that comes back without its text is an acknowledgement, whatever else is left in it', async () => {
    const { ada, bob } = await pair();
    const first = await open(bob, { 'chatterbox-device': 'phone' });
    for (let i = 1; i <= 2; i++) await send(ada, bob, `m${i}`);
    first.write({ ...(await first.next()), message: '' });
    await first.end();
    const second = await open(bob, { 'chatterbox-device': 'phone' });
    assert.equal((await second.next()).message, 'm2');
    await second.end();
  });

  it('a client that acknowledges moves its position itself, and nothing else does', async () => {
    const { ada, bob } = await pair();
    const first = await open(bob, { 'chatterbox-device': 'phone' });
    for (let i = 1; i <= 5; i++) await send(ada, bob, `m${i}`);
    const [, , third] = await first.take(5);
    first.acknowledge(third!);
    assert.equal((await first.end()).code, status.OK);
    const second = await open(bob, { 'chatterbox-device': 'phone' });
    assert.deepEqual(
      (await second.take(2)).map((m) => m.message),
      ['m4', 'm5'],
    );
    await second.end();
  });

  it('each named device has a position of its own, and a new one begins with the newest message of each conversation', async () => {
    const { ada, bob } = await pair();
    for (const text of ['m0', 'm1']) await send(ada, bob, text);
    const phone = await open(bob, { 'chatterbox-device': 'phone' });
    const desk = await open(bob, { 'chatterbox-device': 'desk' });
    for (const device of [phone, desk]) {
      const first = await device.next();
      assert.deepEqual([first.message, first.gap_first_seq, first.list_inbox], ['m1', '1', false]);
    }
    await phone.end();
    await send(ada, bob, 'm2');
    const next = await desk.next();
    assert.deepEqual([next.message, next.gap_first_seq], ['m2', '0']);
    await desk.end();
    const again = await open(bob, { 'chatterbox-device': 'phone' });
    assert.equal((await again.next()).message, 'm2');
    await again.end();
  });

  it('a new device whose first stream broke is told the same again, its own message too where it tells of a gap', async () => {
    const { ada, bob } = await pair();
    for (const text of ['m1', 'm2']) await send(ada, bob, text);
    await send(bob, ada, 'his own');
    const device = { 'chatterbox-device': 'tablet' };
    for (let round = 0; round < 3; round++) {
      const stream = await open(bob, device);
      const first = await stream.next();
      assert.deepEqual([first.message, first.gap_first_seq, first.seq], ['his own', '1', '3']);
      await stream.cut();
    }
    const clean = await open(bob, device);
    await clean.next();
    await clean.end();
    await send(ada, bob, 'm4');
    const last = await open(bob, device);
    assert.equal((await last.next()).message, 'm4');
    await last.end();
  });

  it('the stream that names no device gets all that the user has missed, from the first message on', async () => {
    const { ada, bob } = await pair();
    for (const text of ['m1', 'm2', 'm3']) await send(ada, bob, text);
    const stream = await open(bob);
    assert.deepEqual(
      (await stream.take(3)).map(({ message, gap_first_seq }) => [message, gap_first_seq]),
      [
        ['m1', '0'],
        ['m2', '0'],
        ['m3', '0'],
      ],
    );
    await stream.end();
  });

  it('positions survive a new login and a restart of the server', async () => {
    const { ada, bob } = await pair();
    await send(ada, bob, 'm1');
    const first = await open(bob);
    await first.next();
    await first.end();
    await system.restart();
    await send(ada, bob, 'm2');
    const second = await open(await login(system.url, bob.username));
    assert.equal((await second.next()).message, 'm2');
    await second.end();
    assert.equal(second.received.length, 1);
  });

  it('the newest stream of a device ends the older one', async () => {
    const { bob } = await pair();
    const older = await open(bob);
    const newer = await open(bob);
    const end = await older.ended;
    assert.equal(end.code, status.ABORTED);
    assert.equal(detailsOf(end).reason, 'SESSION_REPLACED');
    await newer.end();
  });

  it('own messages from other devices come where they are asked for, and never to the stream that sent them', async () => {
    const { ada, bob } = await pair();
    const phone = await open(ada, { 'chatterbox-device': 'phone', 'chatterbox-sync': '1' });
    const desk = await open(ada, { 'chatterbox-device': 'desk' });
    phone.write({ friend: bob.username, message: 'from the phone', client_id: 'p1' });
    assert.equal((await phone.next()).client_id, 'p1');
    desk.write({ friend: bob.username, message: 'from the desk', client_id: 'd1' });
    assert.deepEqual(
      [(await phone.next()).message, (await desk.next()).message],
      ['from the desk', 'from the desk'],
    );
    await Promise.all([phone.end(), desk.end()]);
    assert.deepEqual([phone.received.length, desk.received.length], [2, 1]);
  });

  it('notes to oneself come back to the first app, and are answered once to a newer one', async () => {
    const { ada } = await pair();
    const old = new Chat(oldChatStub(system.url), { token: ada.token });
    await old.opened();
    old.write({ user: ada.username, friend: ada.username, message: 'milk' });
    assert.equal((await old.next()).message, 'milk');
    await old.end();
    const chat = await open(ada);
    chat.write({ friend: ada.username, message: 'bread', client_id: 'b1' });
    assert.equal((await chat.next()).seq, '2');
    await chat.end();
    assert.equal(chat.received.length, 1);
  });

  it('a retry gets the first answer, by every call, and after a restart', async () => {
    const { ada, bob } = await pair();
    const first = await send(ada, bob, 'once', { client_id: 'retry-1' });
    assert.deepEqual(await send(ada, bob, 'once', { client_id: 'retry-1', timestamp: '99' }), first);
    await system.restart();
    assert.deepEqual(await send(ada, bob, 'once', { client_id: 'retry-1' }), first);
    const message = { friend: bob.username, message: 'once', client_id: 'retry-1' };
    const many = await streamAll(chatStub(system.url), [message, message], { token: ada.token });
    assert.deepEqual([many.committed, many.failed], [2, 0]);
    const chat = await open(ada);
    chat.write(message);
    assert.equal((await chat.next()).seq, first.seq);
    await chat.end();
    const entries = await history(ada, first.conversation);
    assert.deepEqual(
      entries.map((e) => e.message.text),
      ['once'],
    );
  });

  it('other content under the same client id is ALREADY_EXISTS, with the original’s place', async () => {
    const { ada, bob, conversation } = await pair();
    const first = await send(ada, bob, 'one', { client_id: 'same' });
    const error = await failure(send(ada, bob, 'two', { client_id: 'same' }));
    assert.equal(error.code, status.ALREADY_EXISTS);
    const { reason, domain, metadata } = detailsOf(error);
    assert.deepEqual([reason, domain], ['CLIENT_ID_REUSED', 'chatterbox']);
    assert.deepEqual(metadata, { conversation, client_id: 'same', seq: '1', sent_at: first.sent_at });
  });

  it('StreamMessage says which messages failed and why, and keeps the others', async () => {
    const { ada, bob } = await pair();
    const answer = await streamAll(
      chatStub(system.url),
      [
        { friend: bob.username, message: 'good' },
        { friend: 'nobody-of-that-name', message: 'lost', client_id: 'l1' },
        { friend: bob.username, message: '' },
        { friend: bob.username, message: 'also good' },
      ],
      { token: ada.token },
    );
    assert.deepEqual([answer.deliveryStatus, answer.committed, answer.failed], [false, 2, 2]);
    assert.deepEqual(
      answer.failures.map((f: { index: number; client_id: string; error: { code: number } }) => [
        f.index,
        f.client_id,
        f.error.code,
      ]),
      [
        [1, 'l1', status.NOT_FOUND],
        [2, '', status.INVALID_ARGUMENT],
      ],
    );
  });

  it('a StreamMessage that breaks half-way keeps what was committed', async () => {
    const { ada, bob, conversation } = await pair();
    const listening = await open(bob);
    const stub = chatStub(system.url);
    const { Metadata } = await import('@grpc/grpc-js');
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${ada.token}`);
    const stream = stub.StreamMessage(metadata, () => {});
    stream.write({ friend: bob.username, message: 'half' });
    assert.equal((await listening.next()).message, 'half');
    stream.cancel();
    assert.equal((await history(bob, conversation)).length, 1);
    await listening.end();
  });

  it('a refused message with a client id is answered with its error; one without ends the stream', async () => {
    const { ada, bob } = await pair();
    const chat = await open(ada);
    chat.write({ friend: 'nobody-of-that-name', message: 'x', client_id: 'c1' });
    const refusal = await chat.next();
    assert.deepEqual([refusal.client_id, refusal.error?.code, refusal.seq], ['c1', status.NOT_FOUND, '0']);
    chat.write({ friend: bob.username, message: 'goes on', client_id: 'c2' });
    assert.equal((await chat.next()).seq, '1');
    chat.write({ friend: 'nobody-of-that-name', message: 'x' });
    const end = await chat.ended;
    assert.deepEqual([end.code, detailsOf(end).reason], [status.NOT_FOUND, 'NOT_FOUND']);
  });

  it('history is paged, by both members, and for nobody else', async () => {
    const { ada, bob, conversation } = await pair();
    const { ada: eve } = await pair();
    const messages = Array.from({ length: 7 }, (_, i) => ({
      friend: bob.username,
      message: `m${i + 1}`,
      timestamp: '1700000000000',
    }));
    await streamAll(chatStub(system.url), messages, { token: ada.token });
    for (const member of [ada, bob]) {
      const entries = await history(member, conversation, 3);
      assert.deepEqual(
        entries.map((e) => e.message.text),
        messages.map((m) => m.message),
      );
      assert.deepEqual(
        entries.map((e) => e.seq),
        ['1', '2', '3', '4', '5', '6', '7'],
      );
      assert.deepEqual(entries[0]?.client_time, { seconds: '1700000000', nanos: 0 });
    }
    const stub = conversationsStub(system.url);
    const foreign = await failure(unary(stub, 'ListEntries', { conversation }, { token: eve.token }));
    const absent = await failure(
      unary(stub, 'ListEntries', { conversation: `${eve.username}:zzz` }, { token: eve.token }),
    );
    assert.deepEqual([foreign.code, foreign.details], [absent.code, absent.details]);
    assert.equal(foreign.code, status.NOT_FOUND);
    const write = await failure(
      unary(chatStub(system.url), 'SendMessage', { conversation, message: 'hi' }, { token: eve.token }),
    );
    assert.equal(write.code, status.NOT_FOUND);
  });

  it('the inbox shows the newest conversation first, page by page', async () => {
    const { ada, bob } = await pair();
    const { ada: cleo, bob: dan } = await pair();
    for (const friend of [bob, cleo, dan]) await send(ada, friend, `to ${friend.username}`);
    const stub = conversationsStub(system.url);
    const pageOne = await unary(stub, 'ListConversations', { page_size: 2 }, { token: ada.token });
    const pageTwo = await unary(
      stub,
      'ListConversations',
      { page_size: 2, page_token: pageOne.next_page_token },
      { token: ada.token },
    );
    const texts = [...pageOne.conversations, ...pageTwo.conversations].map((c) => c.last_entry.message.text);
    assert.deepEqual(
      texts.toSorted(),
      [`to ${bob.username}`, `to ${cleo.username}`, `to ${dan.username}`].toSorted(),
    );
    assert.equal(pageTwo.next_page_token, '');
    const forged = await failure(
      unary(stub, 'ListConversations', { page_token: 'AAAA' }, { token: ada.token }),
    );
    assert.deepEqual([forged.code, detailsOf(forged).fields], [status.INVALID_ARGUMENT, ['page_token']]);
  });

  it('a reader that stalls costs the sender nothing, and gets everything when it reads on', async () => {
    const { ada, bob } = await pair();
    const listening = await open(bob);
    listening.pause();
    const count = 900;
    const messages = Array.from({ length: count }, (_, i) => ({
      friend: bob.username,
      message: `${i}-${'x'.repeat(2_000)}`,
    }));
    const answer = await streamAll(chatStub(system.url), messages, { token: ada.token });
    assert.equal(answer.committed, count);
    listening.resume();
    const received = await listening.take(count);
    assert.deepEqual(
      received.map((m) => m.seq),
      messages.map((_, i) => String(i + 1)),
    );
    await listening.end();
  });

  async function history(account: Account, conversation: string, pageSize = 100): Promise<any[]> {
    const entries = [];
    let pageToken = '';
    do {
      const request = { conversation, page_size: pageSize, page_token: pageToken };
      const page = await unary(conversationsStub(system.url), 'ListEntries', request, {
        token: account.token,
      });
      entries.push(...page.entries);
      pageToken = page.next_page_token;
    } while (pageToken !== '');
    return entries;
  }
});
