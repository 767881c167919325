import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import { Chat, chatStub, Session, sessionStub, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { type System, startSystem } from '../outside/system.ts';

describe('the answer to a send', () => {
  let system: System;
  /** Reads of the log wait for it. */
  let reading: Promise<void> = Promise.resolve();

  before(async () => {
    system = await startSystem(
      {},
      {
        messenger: {
          wrapStore: (store) => ({
            ...store,
            entries: async (...args) => {
              await reading;
              return store.entries(...args);
            },
          }),
        },
      },
    );
  });
  after(() => system[Symbol.asyncDispose]());

  let people = 0;
  /** Bob, whose device has acknowledged nothing of three messages of Ada's. */
  async function bobWithMissed(): Promise<{ ada: Account; bob: Account; conversation: string }> {
    const [ada, bob] = await Promise.all(
      ['ada', 'bob'].map((name) => register(system.url, `${name}${++people}`)),
    );
    const conversation = [ada!.username, bob!.username].sort().join(':');
    const friend = bob!.username;
    for (const text of ['1', '2', '3']) await unary(sessionStub(system.url), 'Send', { friend, text }, ada!);
    return { ada: ada!, bob: bob!, conversation };
  }

  it('comes after all older entries of its conversation in a session, so that its seq may be acknowledged', async () => {
    const { ada, bob, conversation } = await bobWithMissed();
    const { promise, resolve } = Promise.withResolvers<void>();
    reading = promise;
    const opening = { open: { device: 'phone' }, positions: [{ conversation, seq: '0' }] };
    const session = new Session(sessionStub(system.url), bob, opening);
    session.write({
      sends: [
        { friend: ada.username, text: '4', client_id: 'a' },
        { friend: bob.username, text: 'to myself', client_id: 'b' },
      ],
    });
    // The note to oneself has nothing before it; the other send was committed with it.
    const [first] = (await session.until((frame) => frame.results.length > 0)).at(-1)!.results;
    assert.equal(first?.client_id, 'b');
    resolve();
    assert.equal((await session.end()).code, status.OK, 'the half-close waits for it');
    const frames = session.received;
    const answeredIn = frames.findIndex(({ results }) => results.some(({ client_id }) => client_id === 'a'));
    const told = frames.slice(0, answeredIn + 1).flatMap(({ entries }) => entries);
    assert.deepEqual(
      told.filter((entry) => entry.conversation === conversation).map(({ seq }) => seq),
      ['1', '2', '3'],
    );
    assert.deepEqual(
      frames[answeredIn]?.results.map(({ sent }) => sent?.seq),
      ['4'],
    );
  });

  it('comes after them in SendMessagesGRPC', async () => {
    const { ada, bob } = await bobWithMissed();
    const { promise, resolve } = Promise.withResolvers<void>();
    reading = promise;
    const chat = new Chat(chatStub(system.url), bob);
    chat.write({ friend: ada.username, message: '4', client_id: 'a' });
    chat.write({ friend: bob.username, message: 'to myself', client_id: 'b' });
    assert.equal((await chat.next()).client_id, 'b');
    resolve();
    const rest = await chat.take(4);
    assert.deepEqual(
      rest.map(({ seq }) => seq),
      ['1', '2', '3', '4'],
    );
    await chat.end();
  });

  it('does not come where the stream ends before, and is the same when it is asked for again', async () => {
    const { ada, bob, conversation } = await bobWithMissed();
    const { promise, resolve } = Promise.withResolvers<void>();
    reading = promise;
    const opening = { open: { device: 'phone' }, positions: [{ conversation, seq: '0' }] };
    const session = new Session(sessionStub(system.url), bob, opening);
    const sends = [{ friend: ada.username, text: '4', client_id: 'a' }];
    session.write({ sends: [...sends, { friend: bob.username, text: 'to myself', client_id: 'b' }] });
    await session.until((frame) => frame.results.length > 0);
    const successor = new Session(sessionStub(system.url), bob, opening);
    const { code } = await session.ended;
    assert.equal(code, status.ABORTED);
    assert.ok(session.received.every(({ results }) => results.every(({ client_id }) => client_id !== 'a')));
    resolve();
    successor.write({ sends });
    const frames = await successor.until(({ results }) => results.length > 0);
    assert.equal(frames.at(-1)?.results[0]?.sent?.seq, '4');
    await successor.end();
  });
});
