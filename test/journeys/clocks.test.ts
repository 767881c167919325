import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'mocha';
import { pino } from 'pino';
import { eventually } from '../outside/eventually.ts';
import { Chat, chatStub, conversationsStub, detailsOf, failure, unary } from '../outside/grpc.ts';
import { type Account, call, register } from '../outside/http.ts';
import { type System, startSystem } from '../outside/system.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
/** Seconds for one message, so that no test waits until there is one more. */
const RATE = { CHATTERBOX_SEND_RATE: '1', CHATTERBOX_SEND_BURST: '10' };

describe('a messenger whose clock is set while it runs, or was wrong when it started', () => {
  let system: System;
  let ada: Account;
  let bob: Account;
  /** What the machine's clock is ahead of the true time, and what the steady clock tells. */
  let ahead = 0;
  let steady = 1_000_000;
  const warnings: string[] = [];
  before(async () => {
    const log = pino({ level: 'warn' }, { write: (line) => warnings.push(line) });
    const clock = () => Date.now() + ahead;
    system = await startSystem(RATE, { messenger: { clock, steady: () => steady, log } });
  });
  after(() => system[Symbol.asyncDispose]());

  let pairs = 0;
  beforeEach(async () => {
    ahead = 0;
    const n = ++pairs;
    [ada, bob] = await Promise.all([register(system.url, `ada${n}`), register(system.url, `bob${n}`)]);
    warnings.length = 0;
  });

  const send = (message: string) =>
    unary(chatStub(system.url), 'SendMessage', { friend: bob.username, message }, { token: ada.token });
  const open = async () => {
    const chat = new Chat(chatStub(system.url), { token: bob.token });
    await chat.opened();
    return chat;
  };
  /** A frame of the device itself; fulfils when it is answered. */
  const frame = async (chat: Chat, id: string) => {
    chat.write({ friend: ada.username, message: 'here', client_id: id });
    assert.equal((await chat.next()).client_id, id);
  };
  /** What bob's next stream begins with, after one that broke. */
  const beginning = async (broken: Chat) => {
    await broken.cut();
    await send('the newest');
    const again = await open();
    const { message } = await again.next();
    await again.cut();
    return message;
  };

  it('does not take for delivered what was written just before the clock was set forward by an hour', async () => {
    const chat = await open();
    await send('fragile');
    assert.equal((await chat.next()).message, 'fragile');
    await frame(chat, 'one');
    ahead = HOUR_MS;
    await frame(chat, 'two');
    assert.equal(await beginning(chat), 'fragile');
  });

  it('takes for delivered what was written 11 s before a frame, though the clock was set back by an hour', async () => {
    const chat = await open();
    await send('well kept');
    assert.equal((await chat.next()).message, 'well kept');
    await frame(chat, 'one');
    ahead = -HOUR_MS;
    steady += 11_000;
    await frame(chat, 'two');
    assert.equal(await beginning(chat), 'the newest');
  });

  for (const step of [HOUR_MS, -HOUR_MS])
    it(`lets nobody send more, nor less, where the clock is set by ${step / 60_000} min`, async () => {
      for (let i = 0; i < 10; i++) await send(`${i}`);
      ahead = step;
      const refused = detailsOf(await failure(send('too much')));
      assert.deepEqual([refused.reason, refused.retryDelayMs], ['RATE_LIMITED', 1_000]);
      steady += 1_000;
      await send('one more');
      assert.equal(detailsOf(await failure(send('too much'))).reason, 'RATE_LIMITED');
    });

  it('warns when its clock, which was ahead when it started, is set right', async () => {
    ahead = YEAR_MS;
    await system.restart();
    await send('from the future');
    assert.equal(warnings.length, 0);
    ahead = 0;
    await send('right again');
    assert.equal(warnings.filter((line) => line.includes(`was set back by ${YEAR_MS / 1_000} s`)).length, 1);
  });

  it('keeps a conversation no longer in a time that has not come, and warns, when it started a year ahead once', async () => {
    ahead = YEAR_MS;
    await system.restart();
    const wrong = await send('from the future');
    assert.ok(Number(wrong.sent_at) > Date.now() + YEAR_MS / 2);
    ahead = 0;
    await system.restart();
    const [right, next] = [await send('right again'), await send('and on')];
    for (const { sent_at } of [right, next]) assert.ok(Number(sent_at) <= Date.now() + 60_000);
    assert.equal(Number(next.seq), 3);
    assert.equal(warnings.filter((line) => line.includes('are dated')).length, 1, 'told once');
    const stub = conversationsStub(system.url);
    const { conversations } = await unary(stub, 'ListConversations', {}, { token: ada.token });
    const seconds = Number(conversations[0].update_time.seconds);
    assert.equal(seconds, Math.floor(Number(next.sent_at) / 1_000));
    const lastChat = new Date(Number(next.sent_at)).toISOString();
    await eventually(async () => {
      const { body } = await call(system.url, 'GET', `/chat?userid=${ada.username}`, { token: ada.token });
      assert.deepEqual(body, { contact_list_: [{ name: bob.username, lastChat }] });
    });
  });
});
