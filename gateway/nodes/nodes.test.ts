import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { describe, it } from 'mocha';
import { Metrics } from '#common/metrics.ts';
import { ask, echo, Pair } from '../fixtures/pair.ts';
import { reasonIn } from '../fixtures/raw-call.ts';
import { startWorld, type World, withToken } from '../fixtures/world.ts';

type Message = Record<string, unknown>;

describe('several messengers', () => {
  it('share the client connections evenly', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld({}, { messengers: nodes.addresses });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(world, world.chat())));
    assert.equal(answers.filter((name) => name === 'one').length, 10);
  });

  it('are one and the same for all calls of a client connection', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld({}, { messengers: nodes.addresses });
    const client = world.chat();
    const first = await ask(world, client);
    for (let i = 0; i < 5; i++) assert.equal(await ask(world, client), first);
  });

  it('are left when they say that they do not serve: new calls go elsewhere, open streams go on', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld({}, { messengers: nodes.addresses });
    const client = world.chat();
    const stream = client.SendMessagesGRPC(withToken(world.token()));
    stream.on('error', () => {});
    const [name, other] = nodes.namesFrom(await echo(stream));
    nodes.get(name).becomeUnhealthy();
    const began = performance.now();
    while ((await ask(world, client)) !== other) assert.ok(performance.now() - began < 2_000);
    assert.equal(await echo(stream), name);
    stream.cancel();
  });

  it('are left when the connection to them is old: new calls go to the emptiest, open streams go on', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld({}, { messengers: nodes.addresses, limits: { linkAgeMs: 200 } });
    const client = world.chat();
    const stream = client.SendMessagesGRPC(withToken(world.token()));
    stream.on('error', () => {});
    const [name, other] = nodes.namesFrom(await echo(stream));
    assert.equal(await ask(world, client), name);
    while ((await ask(world, client)) !== other) await delay(10);
    assert.equal(await echo(stream), name);
    stream.cancel();
  });

  it('are left at once by a call that one of them may have taken, if it can be told from its repetition', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld(
      {},
      { messengers: nodes.addresses, limits: { replayWithinMs: 20_000 } },
    );
    const client = world.chat();
    const [name, other] = nodes.namesFrom(await ask(world, client));
    nodes.silent.add(name);
    const asking = ask(world, client);
    const nameless = ask(world, client, { message: 'hi' });
    nameless.catch(() => {});
    await nodes.asked(name, 2);
    const began = performance.now();
    nodes.get(name).kill();
    assert.equal(await asking, other);
    assert.ok(performance.now() - began < 400, 'without the pauses of a lone messenger');
    await assert.rejects(nameless, { code: status.UNAVAILABLE });
  });

  it('take over what another one is about to end', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld({}, { messengers: nodes.addresses });
    const client = world.chat();
    const [name, other] = nodes.namesFrom(await ask(world, client));
    nodes.leaving.add(name);
    assert.equal(await ask(world, client), other);
    const unnamed = world.chat();
    const answers = await Promise.allSettled([1, 2].map(() => ask(world, unnamed, { message: 'hi' })));
    for (const answer of answers)
      if (answer.status === 'rejected') assert.equal(reasonIn(answer.reason), 'RECONNECT');
  });

  it('restarting one after the other fail no call that has a client_id', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld({}, { messengers: nodes.addresses });
    const clients = Array.from({ length: 8 }, () => world.chat());
    const done = { isSo: false };
    let answered = 0;
    const load = clients.map(async (client) => {
      while (!done.isSo) {
        await ask(world, client, { client_id: `c${answered}`, message: 'slowly' });
        answered++;
      }
    });
    const failed = Promise.all(load);
    for (const name of ['one', 'two', 'one', 'two']) {
      const before = answered;
      await nodes.get(name).drain();
      await Promise.race([failed, delay(300)]);
      await nodes.get(name).listen();
      await Promise.race([failed, delay(700)]);
      assert.ok(answered > before);
    }
    done.isSo = true;
    await failed;
  });

  it('that are all away make calls fail with a delay, and the gateway not ready', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld(
      {},
      { messengers: nodes.addresses, limits: { replayWithinMs: 200 } },
    );
    nodes.one.kill();
    nodes.two.kill();
    const error = await ask(world, world.chat()).then(
      () => assert.fail('it was answered'),
      (refusal) => refusal,
    );
    assert.deepEqual([error.code, reasonIn(error)], [status.UNAVAILABLE, 'UNAVAILABLE']);
    await untilMissing(world, ['messenger']);
    await nodes.two.listen();
    await untilMissing(world, []);
    assert.equal(await ask(world, world.chat()), 'two');
  });

  it('that are all away keep no call whose client does not wait', async () => {
    await using nodes = await Pair.start();
    const metrics = new Metrics();
    const limits = { replayWithinMs: 60_000 };
    await using world = await startWorld({}, { messengers: nodes.addresses, metrics, limits });
    const open = async () => Number(/_calls_open\{.*\} (\d+)/.exec(await metrics.text())?.[1]);
    nodes.one.kill();
    nodes.two.kill();
    await untilMissing(world, ['messenger']);
    const call = world.chat().StreamMessage(withToken(world.token()), () => {});
    for (let i = 0; i < 200; i++) call.write({ message: 'x'.repeat(1_000) });
    while ((await open()) !== 1) await delay(10);
    call.cancel();
    while ((await open()) !== 0) await delay(10);
  });

  it('that come back find nothing missing of a stream that waited for them', async () => {
    await using nodes = await Pair.start();
    await using world = await startWorld({}, { messengers: nodes.addresses });
    nodes.one.kill();
    nodes.two.kill();
    await untilMissing(world, ['messenger']);
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const call = world
      .chat()
      .StreamMessage(withToken(world.token()), (e: unknown, r: Message) => (e ? reject(e) : resolve(r)));
    for (let i = 0; i < 200; i++) call.write({ message: 'x'.repeat(1_000) });
    call.end();
    await delay(300);
    await nodes.one.listen();
    assert.equal((await promise).committed, 200);
  });
});

async function untilMissing(world: World, missing: string[]): Promise<void> {
  for (;;) {
    const answer = (await (await fetch(`${world.url}/readyz`)).json()) as { missing: string[] };
    const messengers = answer.missing.filter((name) => name === 'messenger');
    if (JSON.stringify(messengers) === JSON.stringify(missing)) return;
    await delay(10);
  }
}
