import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import {
  Chat,
  chatStub,
  conversationsStub,
  detailsOf,
  failure,
  Session,
  type SessionFrame,
  sessionStub,
  streamAll,
  unary,
} from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { type System, startSystem } from '../outside/system.ts';

const HOUR_MS = 3_600_000;

describe('the budgets of a user in the messenger', () => {
  let system: System;
  let steady = 1_000_000;
  let people = 0;

  const someone = () => register(system.url, `p${++people}`);
  const send = (from: Account, friend: string, more: object = {}) =>
    unary(sessionStub(system.url), 'Send', { friend, text: 'hello', ...more }, from);
  const read = (reader: Account, method: string, request: object = {}) =>
    unary(conversationsStub(system.url), method, request, reader);

  describe('where they are small', () => {
    before(async () => {
      system = await startSystem(
        { CHATTERBOX_FIRST_CONTACT_RATE: '2', CHATTERBOX_READ_RATE: '5' },
        { messenger: { steady: () => steady } },
      );
    });
    after(() => system[Symbol.asyncDispose]());

    it('refuse a first contact too many, and say when the next one may come', async () => {
      const [ada, bob, cleo, dan] = [await someone(), await someone(), await someone(), await someone()];
      await send(ada, bob.username);
      await send(ada, cleo.username);
      const refused = await failure(send(ada, dan.username));
      assert.equal(refused.code, status.RESOURCE_EXHAUSTED);
      const { reason, retryDelayMs, metadata } = detailsOf(refused);
      assert.deepEqual(
        [reason, retryDelayMs, metadata],
        ['RATE_LIMITED', HOUR_MS / 2, { limit: 'first_contacts' }],
      );
      assert.match(refused.details, /first messages/);
      steady += HOUR_MS / 2;
      assert.equal((await send(ada, dan.username)).seq, '1');
    });

    it('count no later message, no retry and no reply as a first contact', async () => {
      const [ada, bob, cleo, dan] = [await someone(), await someone(), await someone(), await someone()];
      await send(dan, ada.username);
      for (let i = 0; i < 3; i++) await send(ada, dan.username);
      for (let i = 0; i < 3; i++) await send(ada, bob.username, { client_id: 'same' });
      for (let i = 0; i < 3; i++) await send(ada, bob.username);
      for (let i = 0; i < 3; i++) await send(ada, ada.username);
      await send(ada, cleo.username);
      assert.equal(detailsOf(await failure(send(ada, 'p1'))).reason, 'RATE_LIMITED');
    });

    it('count no message as a first contact where the conversation began before a restart', async () => {
      const [ada, ...others] = [await someone(), await someone(), await someone(), await someone()];
      for (const other of others) await send(other, ada.username);
      await system.restart();
      for (const { username } of others) await send(ada, username);
    });

    it('hold also over names that nobody has, and count each of them once', async () => {
      const ada = await someone();
      for (const name of ['nobody-1', 'nobody-2', 'nobody-1', 'nobody-2'])
        assert.equal((await failure(send(ada, name))).code, status.NOT_FOUND);
      assert.equal((await failure(send(ada, 'nobody-3'))).code, status.RESOURCE_EXHAUSTED);
    });

    it('hold on every way to send, each user having their own', async () => {
      const [ada, bob] = [await someone(), await someone()];
      await send(ada, 'p1');
      await send(ada, 'p2');
      const message = { friend: 'p3', message: 'x' };
      const refused = await failure(unary(chatStub(system.url), 'SendMessage', message, ada));
      assert.equal(refused.code, status.RESOURCE_EXHAUSTED);
      const { failures } = await streamAll(chatStub(system.url), [message], ada);
      assert.deepEqual(
        failures.map(({ error }: { error: { code: number } }) => error.code),
        [status.RESOURCE_EXHAUSTED],
      );
      const chat = new Chat(chatStub(system.url), ada);
      chat.write({ ...message, client_id: '1' });
      assert.equal((await chat.next()).error?.code, status.RESOURCE_EXHAUSTED);
      await chat.cut();
      await send(bob, 'p3');
    });

    it('hold back the sends of a session to the same person alone after a refused first contact', async () => {
      const [ada, bob] = [await someone(), await someone()];
      for (const friend of [bob.username, 'p1']) await send(ada, friend);
      const session = new Session(sessionStub(system.url), ada, { open: { device: 'phone' } });
      await session.caughtUp();
      const sends = [
        { friend: 'p2', text: 'hello', client_id: '1' },
        { friend: 'p2', text: 'are you there', client_id: '2' },
        { friend: bob.username, text: 'later', client_id: '3' },
      ];
      session.write({ sends, attempt: '1' });
      assert.deepEqual(codes(await session.until(results(3))), [
        status.RESOURCE_EXHAUSTED,
        status.ABORTED,
        0,
      ]);
      steady += HOUR_MS / 2;
      session.write({ sends, attempt: '1' });
      assert.deepEqual(codes(await session.until(results(3))), [status.ABORTED, status.ABORTED, 0]);
      session.write({ sends, attempt: '2' });
      assert.deepEqual(codes(await session.until(results(3))), [0, 0, 0]);
      await session.end();
    });

    it('refuse a read too many, of whatever kind, and leave the budget of writing alone', async () => {
      const [ada, bob] = [await someone(), await someone()];
      const { conversation, seq } = await send(ada, bob.username);
      const reads = [
        () => read(ada, 'ListEntries', { conversation }),
        () => read(ada, 'ListConversations'),
        () => read(ada, 'CountUnread'),
      ];
      for (let i = 0; i < 20; i++) await reads[i % 3]?.();
      for (const one of reads) {
        const { reason, retryDelayMs } = detailsOf(await failure(one()));
        assert.deepEqual([reason, retryDelayMs], ['RATE_LIMITED', 200]);
      }
      await read(ada, 'MarkRead', { conversation, seq });
      await read(bob, 'CountUnread');
      steady += 200;
      await read(ada, 'CountUnread');
    });

    it('refuse a session too many that is being opened in several frames, until another one is open', async () => {
      const ada = await someone();
      const begin = (device: number) => {
        steady += 1_000;
        const opening = { open: { device: `d${device}` }, more_positions: true };
        return new Session(sessionStub(system.url), ada, opening);
      };
      const sessions = Array.from({ length: 9 }, (_, i) => begin(i));
      const ends = sessions.map(async (session, i) => ({ i, code: (await session.ended).code }));
      const { i: refused, code } = await Promise.race(ends);
      assert.equal(code, status.RESOURCE_EXHAUSTED);
      const [first, ...others] = sessions.toSpliced(refused, 1);
      first?.write({});
      await first?.caughtUp();
      const next = begin(9);
      next.write({});
      await next.caughtUp();
      for (const session of [first, next, ...others]) await session?.cut();
    });

    it('refuse a stream too many, of whatever kind, and leave those that are open alone', async () => {
      const [ada, bob] = [await someone(), await someone()];
      const open = (device: string) => new Session(sessionStub(system.url), ada, { open: { device } });
      const first = open('first');
      await first.caughtUp();
      for (let i = 0; i < 3; i++) await open(`${i}`).caughtUp();
      const chat = new Chat(chatStub(system.url), ada);
      await chat.opened();
      await streamAll(chatStub(system.url), [{ friend: bob.username, message: 'x' }], ada);
      for (const refused of [
        await open('another').ended,
        await new Chat(chatStub(system.url), ada).ended,
        await failure(streamAll(chatStub(system.url), [], ada)),
      ]) {
        assert.equal(refused.code, status.RESOURCE_EXHAUSTED);
        assert.equal(detailsOf(refused).retryDelayMs, 1_000);
      }
      first.write({ ping: { number: '1' } });
      await first.until(({ pong }) => pong?.number === '1');
      steady += 1_000;
      await open('another').caughtUp();
    });
  });

  describe('as they are by default', () => {
    before(async () => {
      system = await startSystem({}, { messenger: { steady: () => steady } });
    });
    after(() => system[Symbol.asyncDispose]());

    it('let a client open a hundred conversations at its start, and write to sixty new people', async () => {
      const ada = await someone();
      await send(ada, ada.username);
      const conversation = `${ada.username}:${ada.username}`;
      await Promise.all(Array.from({ length: 100 }, () => read(ada, 'ListEntries', { conversation })));
      await Promise.all([read(ada, 'ListConversations'), read(ada, 'CountUnread')]);
      const codes = [];
      for (let i = 0; i < 61; i++) codes.push((await failure(send(ada, `nobody-${i}`))).code);
      assert.deepEqual(new Set(codes.slice(0, 60)), new Set([status.NOT_FOUND]));
      assert.equal(codes[60], status.RESOURCE_EXHAUSTED);
    });
  });
});

function results(count: number): (frame: SessionFrame) => boolean {
  let left = count;
  return ({ results }) => {
    left -= results.length;
    return left <= 0;
  };
}

/** In the order of the client ids: refusals may come first. */
function codes(frames: SessionFrame[]): number[] {
  return frames
    .flatMap((frame) => frame.results)
    .sort((a, b) => a.client_id.localeCompare(b.client_id))
    .map(({ error }) => error?.code ?? 0);
}
