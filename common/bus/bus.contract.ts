import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { after, before, describe, it } from 'mocha';
import { type Bus, MAX_MESSAGE_BYTES } from './bus.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array) => new TextDecoder().decode(message);

/** What every bus promises, tried with connections to one of them. */
export function busContract(name: string, connect: () => Promise<Bus>): void {
  describe(`${name}, as every bus`, () => {
    let one: Bus;
    let other: Bus;
    before(async () => {
      [one, other] = await Promise.all([connect(), connect()]);
    });
    after(async () => {
      await one[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    });

    it('brings a message to every other subscriber of its subject once, and to nobody else', async () => {
      const third = await connect();
      const heard: string[] = [];
      using _a = other.subscribe('test.a', (m) => heard.push(`other ${text(m)}`));
      using _b = third.subscribe('test.a', (m) => heard.push(`third ${text(m)}`));
      using _c = third.subscribe('test.b', () => heard.push('wrong subject'));
      await untilHeard(one, other, third);
      one.publish('test.a', bytes('1'));
      await untilHeard(one, other, third);
      await third[Symbol.asyncDispose]();
      assert.deepEqual(heard.sort(), ['other 1', 'third 1']);
    });

    it('keeps the order of one publisher', async () => {
      const heard: number[] = [];
      using _ = other.subscribe('test.order', (m) => heard.push(Number(text(m))));
      await untilHeard(one, other);
      for (let i = 0; i < 1_000; i++) one.publish('test.order', bytes(`${i}`));
      await untilHeard(one, other);
      assert.deepEqual(
        heard,
        Array.from({ length: 1_000 }, (_, i) => i),
      );
    });

    it('tells nobody what they said themselves', async () => {
      let own = 0;
      using _ = one.subscribe('test.own', () => own++);
      await untilHeard(other, one);
      one.publish('test.own');
      await untilHeard(one, other);
      await untilHeard(other, one);
      assert.equal(own, 0);
    });

    it('stops when a subscription is disposed, and not before its last listener has gone', async () => {
      const heard: string[] = [];
      const first = other.subscribe('test.stop', () => heard.push('first'));
      const second = other.subscribe('test.stop', () => heard.push('second'));
      await untilHeard(one, other);
      first[Symbol.dispose]();
      one.publish('test.stop');
      await untilHeard(one, other);
      second[Symbol.dispose]();
      one.publish('test.stop');
      await untilHeard(one, other);
      assert.deepEqual(heard, ['second']);
    });

    it('takes a message of the largest size as it is, and an empty one', async () => {
      const sizes: number[] = [];
      using _ = other.subscribe('test.size', (m) => sizes.push(m.length));
      await untilHeard(one, other);
      one.publish('test.size', new Uint8Array(MAX_MESSAGE_BYTES).fill(7));
      one.publish('test.size');
      await untilHeard(one, other);
      assert.deepEqual(sizes, [MAX_MESSAGE_BYTES, 0]);
    });
  });
}

/** Fulfils when what `from` has published until now, and what the others have subscribed to, is known to all. */
async function untilHeard(from: Bus, ...to: Bus[]): Promise<void> {
  for (const hearer of to) {
    if (hearer === from) continue;
    const arrived = new EventEmitter();
    using _ = hearer.subscribe('test.probe', () => arrived.emit('probe'));
    const probe = setInterval(() => from.publish('test.probe'), 2);
    await once(arrived, 'probe');
    clearInterval(probe);
  }
}
