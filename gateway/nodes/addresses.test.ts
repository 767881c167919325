import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'mocha';
import type { StandInMessenger } from '../fixtures/messenger.ts';
import { ask, Pair } from '../fixtures/pair.ts';
import { startWorld } from '../fixtures/world.ts';
import { Addresses } from './addresses.ts';

describe('a name that stands for several messengers', () => {
  const limits = { resolveEveryMs: 50, checkEveryMs: 50 };

  it('is resolved again and again, and those that it stands for no more are left', async () => {
    await using nodes = await Pair.start();
    // Names share their port, so here each messenger has a name.
    let known: Record<string, string[]> = { 'one.test': ['127.0.0.1'] };
    const lookup = async (host: string) => known[host] ?? Promise.reject(new Error('no such name'));
    const port = (node: StandInMessenger) => node.address.split(':')[1];
    const messengers = [`one.test:${port(nodes.one)}`, `two.test:${port(nodes.two)}`];
    await using world = await startWorld({}, { messengers, lookup, limits });
    const client = world.chat();
    assert.equal(await ask(world, client), 'one');
    known = { 'one.test': ['127.0.0.1', '127.0.0.2'], 'two.test': ['127.0.0.1'] };
    let other = world.chat();
    for (; (await ask(world, other)) !== 'two'; other = world.chat()) await delay(20);
    assert.equal(await ask(world, client), 'one');
    known = {};
    await delay(200);
    const answers = await Promise.all([client, other].map((each) => ask(world, each)));
    assert.deepEqual(answers, ['one', 'two'], 'what cannot be resolved stays as it was');
    known = { 'one.test': ['127.0.0.2'] };
    while ((await ask(world, client)) !== 'two') await delay(20);
  });

  it('gives addresses of both families, each once', async () => {
    const lookup = async () => ['10.0.0.1', 'fd00::1', '10.0.0.1'];
    const addresses = new Addresses(['m.test:9090', '10.0.0.1:9090', '[fd00::2]:9091'], lookup);
    assert.deepEqual([...(await addresses.resolve())], ['10.0.0.1:9090', '[fd00::1]:9090', '[fd00::2]:9091']);
  });
});
