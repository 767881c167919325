import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { after, before, it } from 'mocha';
import { Session, sessionStub } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import type { System } from '../outside/system.ts';
import { onEverySystem } from '../outside/systems.ts';

const SENDS = 600;
const IN_A_FRAME = 50;
/** Above the time that the server asks for, so that each attempt brings some through. */
const PAUSE_MS = 25;

onEverySystem('sends above the rate', (start) => {
  let system: System;
  before(async () => {
    system = await start({ CHATTERBOX_SEND_RATE: '1000', CHATTERBOX_SEND_BURST: '100' });
  });
  after(() => system[Symbol.asyncDispose]());

  it('all get through, in the order in which they were given, where the client counts its attempts', async () => {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map((name) => register(system.url, name)));
    const texts = Array.from({ length: SENDS }, (_, i) => `${i}`);
    const attempts = await sendAll(ada!, bob!, texts);
    assert.ok(attempts > 1, 'some were refused');
    const session = new Session(sessionStub(system.url), bob!, {
      open: { device: 'phone' },
      positions: [{ conversation: `${ada!.username}:${bob!.username}`, seq: '0' }],
    });
    const told = await session.caughtUp();
    assert.deepEqual(
      told.flatMap(({ entries }) => entries.map(({ message }) => message.text)),
      texts,
    );
    await session.end();
  });

  it('take no attempt that can be none', async () => {
    const cleo = await register(system.url, 'cleo');
    const session = new Session(sessionStub(system.url), cleo, { open: { device: 'phone' } });
    session.write({ sends: [{ friend: 'cleo', text: 'x', client_id: 'x' }], attempt: '-1' });
    assert.equal((await session.ended).code, status.INVALID_ARGUMENT);
  });

  /** Fulfils with the number of attempts when all are committed. */
  async function sendAll(from: Account, to: Account, texts: string[]): Promise<number> {
    const session = new Session(sessionStub(system.url), from, { open: { device: 'phone' } });
    await session.caughtUp();
    const unanswered = new Map(
      texts.map((text) => [`id-${text}`, { friend: to.username, text, client_id: `id-${text}` }]),
    );
    let attempt = 0;
    while (unanswered.size > 0) {
      attempt++;
      const sends = [...unanswered.values()];
      for (let i = 0; i < sends.length; i += IN_A_FRAME)
        session.write({ sends: sends.slice(i, i + IN_A_FRAME), attempt });
      for (let answered = 0; answered < sends.length; ) {
        for (const { client_id, error, attempt: itsAttempt } of (await session.next()).results) {
          assert.equal(itsAttempt, `${attempt}`);
          answered++;
          if (error === undefined || error === null) unanswered.delete(client_id);
          else assert.ok([status.RESOURCE_EXHAUSTED, status.ABORTED].includes(error.code), `${error.code}`);
        }
      }
      await delay(PAUSE_MS);
    }
    assert.equal((await session.end()).code, status.OK);
    return attempt;
  }
});
