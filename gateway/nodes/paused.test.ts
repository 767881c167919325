import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { describe, it } from 'mocha';
import { StandInMessenger } from '../fixtures/messenger.ts';
import { ask, echo, ending, namedBehaviour } from '../fixtures/pair.ts';
import { reasonIn } from '../fixtures/raw-call.ts';
import { startWorld, withToken } from '../fixtures/world.ts';

describe('a messenger that is paused', function () {
  this.timeout(30_000);

  it('is left within two seconds, its streams too', async () => {
    await using paused = await startProcess();
    await using other = await StandInMessenger.start(namedBehaviour('other', new Set(), new Set()));
    await using world = await startWorld({}, { messengers: [paused.address, other.address] });
    const clients = [world.chat(), world.chat()];
    const streams = clients.map((client) => client.SendMessagesGRPC(withToken(world.token())));
    for (const stream of streams) stream.on('error', () => {});
    const names = await Promise.all(streams.map(echo));
    const at = names.indexOf('paused');
    assert.equal(names[1 - at], 'other');
    const ended = ending(streams[at]);
    paused.child.kill('SIGSTOP');
    const began = performance.now();
    const asking = ask(world, clients[at]!);
    const end = await ended;
    assert.deepEqual([end.code, reasonIn(end)], [status.UNAVAILABLE, 'RECONNECT']);
    assert.equal(await asking, 'other');
    assert.equal(await ask(world, clients[at]!), 'other');
    assert.ok(performance.now() - began < 2_300, `${performance.now() - began} ms`);
    assert.equal(await echo(streams[1 - at]), 'other');
    streams[1 - at].cancel();
    paused.child.kill('SIGCONT');
    const returned = async () =>
      (await Promise.all([1, 2].map(() => ask(world, world.chat())))).includes('paused');
    while (!(await returned())) await delay(20);
  });

  it('keeps its streams for longer where there is no other one', async () => {
    await using paused = await startProcess();
    const limits = { checkEveryMs: 50, checkTimeoutMs: 100, stalledMs: 200, lostMs: 2_000 };
    await using world = await startWorld({}, { messengers: [paused.address], limits });
    const stream = world.chat().SendMessagesGRPC(withToken(world.token()));
    stream.on('error', () => {});
    await echo(stream);
    const ended = ending(stream);
    paused.child.kill('SIGSTOP');
    assert.equal(await Promise.race([ended, delay(1_000, 'still open')]), 'still open');
    paused.child.kill('SIGCONT');
    assert.equal(await echo(stream), 'paused');
    paused.child.kill('SIGSTOP');
    assert.equal(reasonIn(await ended), 'RECONNECT');
  });
});

/** A messenger as a process of its own, named "paused". */
async function startProcess() {
  const program = new URL('../fixtures/messenger-process.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  return {
    child,
    address: String(line).trim(),
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
