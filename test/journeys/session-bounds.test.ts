import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { after, before, describe, it } from 'mocha';
import { Session, sessionStub, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { startSystem } from '../outside/system.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What a frame of the largest size may hold of each kind, at the most. */
const FLOODS: Record<string, (account: Account, i: number) => object> = {
  'refused sends': () => ({ sends: Array.from({ length: 1_000 }, () => ({})) }),
  'sends to nobody': (_, i) => ({
    sends: Array.from({ length: 1_000 }, (_, n) => ({ friend: '?', text: 'x', client_id: `${i}-${n}` })),
  }),
  'refused reads': () => ({
    reads: Array.from({ length: 1_000 }, () => ({ conversation: 'x:y', seq: '-1' })),
  }),
  'acknowledgements of what is not there': ({ username }, i) => ({
    acks: Array.from({ length: 2_000 }, (_, n) => ({ conversation: `${username}:z${n}`, seq: `${i + 1}` })),
  }),
  pings: (_, i) => ({ ping: { number: `${i}` } }),
};

describe('what a session costs, whatever its client sends', () => {
  let system: Awaited<ReturnType<typeof startSystem>>;
  before(async () => {
    system = await startSystem({ CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '1000000' });
  });
  after(() => system[Symbol.asyncDispose]());

  /** Bytes that this process holds, server and client, after a full collection. */
  const held = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };

  for (const [what, flood] of Object.entries(FLOODS)) {
    it(`is bounded for one that reads nothing and sends ${what}`, async function () {
      this.timeout(60_000);
      const eve = await register(system.url, `eve${Object.keys(FLOODS).indexOf(what)}`);
      const session = new Session(sessionStub(system.url), eve, { open: { device: 'phone' } });
      await session.caughtUp();
      session.pause();
      const memory: number[] = [];
      // What is not read is not written either, in the end: the client holds what the server does not take.
      for (let i = 0; i < 60; i++) {
        const taken = session.writeOrWait(flood(eve, i));
        // Another call's answer shows that the server has had its turn.
        await unary(sessionStub(system.url), 'Send', { friend: eve.username, text: `${i}` }, eve);
        if (!taken) break;
        if (i === 5) memory.push(held());
      }
      const before = held();
      for (let i = 0; i < 20; i++)
        await unary(sessionStub(system.url), 'Send', { friend: eve.username, text: `${i}` }, eve);
      assert.ok(held() - before < 3_000_000, 'what waits does not grow');
      assert.ok(
        before - (memory[0] ?? before) < 30_000_000,
        `grew by ${before - (memory[0] ?? before)} bytes`,
      );
      session.resume();
      await session.cut();
    });
  }

  it('is bounded for one that never comes to an end with its positions', async function () {
    this.timeout(60_000);
    const eve = await register(system.url, 'eve-opening');
    const positions = (frame: number) =>
      Array.from({ length: 500 }, (_, i) => {
        return { conversation: `${eve.username}:z${frame}-${i}-${'z'.repeat(90)}`, seq: '1' };
      });
    const opening = { open: { device: 'phone' }, more_positions: true };
    const session = new Session(sessionStub(system.url), eve, opening);
    await session.opened();
    const before = held();
    let isOver = false;
    session.ended.then(() => {
      isOver = true;
    });
    for (let frame = 0; frame < 400 && !isOver; frame++) {
      session.write({ positions: positions(frame), more_positions: true });
      await unary(sessionStub(system.url), 'Send', { friend: eve.username, text: `${frame}` }, eve);
    }
    const grown = held() - before;
    await session.cut();
    assert.ok(grown < 20_000_000, `grew by ${grown} bytes`);
    assert.ok(isOver, 'it was told that these are too many');
  });
});
