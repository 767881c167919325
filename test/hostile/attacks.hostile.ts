import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { eventually } from '../outside/eventually.ts';
import { sessionStub, unary } from '../outside/grpc.ts';
import { register } from '../outside/http.ts';
import { ATTACKS, begin, type Target } from './support/attacks.ts';
import { Innocent } from './support/innocent.ts';
import { type HostileSystem, startHostileSystem } from './support/system.ts';

const ROUNDS = 3;
/** What the others begin in all rounds. */
const OTHERS = { streams: 2 * ROUNDS, answers: 30 * ROUNDS };

describe('while one attacks, the others get all their answers, and what it costs is bounded:', function () {
  this.timeout(60_000);
  let system: HostileSystem;
  let target: Target;
  let innocent: Innocent;
  before(async () => {
    system = await startHostileSystem();
    const { url } = system;
    innocent = await Innocent.register(url, 'ada');
    const eve = await register(url, 'eve');
    const accounts = Array.from({ length: 20 }, (_, i) => `eve${i}`);
    for (const name of accounts) await register(url, name);
    target = { url, token: eve.token, conversation: 'eve:eve', accounts };
    const stub = sessionStub(url);
    for (let i = 0; i < 100; i++) await unary(stub, 'Send', { friend: 'eve', text: 'x'.repeat(8_000) }, eve);
    stub.close();
    await innocent.round();
  });
  after(async () => {
    await innocent.close();
    await system[Symbol.asyncDispose]();
  });

  const measured = async () => ({
    bytes: await system.bytes(),
    streams: await system.metric('chatterbox_http2_streams_total'),
    answers: await system.metric('chatterbox_http_responses_total'),
  });
  const open = async () => ({
    connections: await system.metric('chatterbox_connections'),
    calls: await system.metric('chatterbox_grpc_calls_open'),
  });

  for (const [name, attack] of Object.entries(ATTACKS)) {
    it(name, async () => {
      const [before, openBefore] = [await measured(), await open()];
      const { mostMb, mostStreams, mostAnswers, isCut, mostCallsLeft = 0 } = attack;
      const beginning = begin(attack, target);
      await innocent.round();
      await using sockets = await beginning;
      for (let i = 1; i < ROUNDS; i++) await innocent.round();
      const { bytes, streams, answers } = await measured();
      const mb = (bytes - before.bytes) / 1e6;
      assert.ok(mb < mostMb, `${mb.toFixed(1)} MB are held`);
      const begun = streams - before.streams - OTHERS.streams;
      assert.ok(begun <= mostStreams, `${begun} streams were begun`);
      const answered = answers - before.answers - OTHERS.answers;
      assert.ok(answered <= mostAnswers, `${answered} requests were answered`);

      await eventually(async () => {
        assert.ok((await open()).calls <= openBefore.calls + mostCallsLeft, 'its calls are ended');
        if (isCut) assert.equal(sockets.open, 0, 'its connections are closed');
      });
      await sockets[Symbol.asyncDispose]();
      await eventually(async () => {
        assert.ok((await open()).connections <= openBefore.connections, 'nothing is left open');
      });
    });
  }

  it('nothing went wrong inside', () => assert.equal(system.errors(), ''));
});
