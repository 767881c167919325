import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { eventually } from '../test/outside/eventually.ts';
import { Starts } from './starts.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const RATES = { perSecond: 1_000, burst: 10, perTurn: 3, maxWaiting: 4 };

describe('new requests and streams', () => {
  /** What has begun, in its order. */
  function open(rates = RATES) {
    const clock = { now: 0 };
    const begun: string[] = [];
    const gone = new Set<string>();
    const starts = new Starts(rates, () => clock.now);
    const add = (address: string, n: number) => {
      const name = `${address}${n}`;
      starts.add(address, { begin: () => begun.push(name), isGone: () => gone.has(name) });
    };
    return { clock, begun, gone, starts, add };
  }

  it('begin a turn later, in their order, and not where they are gone by then', async () => {
    const { begun, gone, starts, add } = open();
    for (let n = 0; n < 4; n++) add('a', n);
    gone.add('a1');
    assert.deepEqual(begun, []);
    await turn();
    assert.deepEqual(begun, ['a0', 'a2', 'a3']);
    starts[Symbol.dispose]();
  });

  it('begin a few at a time of each address, so that nobody waits behind another one', async () => {
    const { begun, starts, add } = open();
    for (let n = 0; n < 9; n++) add('a', n);
    add('b', 0);
    await turn();
    assert.deepEqual(begun, ['a0', 'a1', 'a2', 'b0']);
    add('b', 1);
    await turn();
    assert.deepEqual(begun.slice(4), ['a3', 'a4', 'a5', 'b1']);
    starts[Symbol.dispose]();
  });

  it('wait for the rate of their address above the burst', async () => {
    const { clock, begun, starts, add } = open({ ...RATES, perTurn: 100 });
    for (let n = 0; n < 12; n++) add('a', n);
    await turn();
    assert.equal(begun.length, 10);
    add('b', 0);
    await eventually(async () => assert.equal(begun.length, 11));
    assert.equal(begun[10], 'b0');
    clock.now = 1;
    await eventually(async () => assert.equal(begun.length, 12));
    assert.equal(begun[11], 'a10');
    clock.now = 1_000;
    await eventually(async () => assert.equal(begun.length, 13));
    starts[Symbol.dispose]();
  });

  it('have room for so many that wait, for each address', async () => {
    const { starts, add } = open();
    for (let n = 0; n < 4; n++) add('a', n);
    assert.deepEqual([starts.hasRoom('a'), starts.hasRoom('b')], [false, true]);
    await turn();
    assert.equal(starts.hasRoom('a'), true);
    starts[Symbol.dispose]();
  });

  it('never begin after the end', async () => {
    const { begun, starts, add } = open();
    add('a', 0);
    starts[Symbol.dispose]();
    await turn();
    assert.deepEqual(begun, []);
    assert.equal(starts.addresses, 0);
  });
});
