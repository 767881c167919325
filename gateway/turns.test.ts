import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { Turns } from './turns.ts';

describe('turns', () => {
  it('run a bounded number for each key, in order, and lose none when some leave', () => {
    const step = fc.oneof(fc.record({ take: fc.constantFrom('a', 'b') }), fc.record({ end: fc.nat(20) }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const turns = new Turns<string>(2);
        const running = { a: [] as number[], b: [] as number[] };
        const waiting = { a: [] as number[], b: [] as number[] };
        const ends = new Map<number, () => void>();
        let count = 0;
        for (const one of steps) {
          if ('take' in one) {
            const key = one.take as 'a' | 'b';
            const n = count++;
            waiting[key].push(n);
            const begin = () => {
              assert.equal(waiting[key].shift(), n, 'in order');
              running[key].push(n);
            };
            ends.set(n, turns.take(key, begin));
          } else {
            const n = one.end;
            for (const key of ['a', 'b'] as const) {
              waiting[key] = waiting[key].filter((other) => other !== n);
              running[key] = running[key].filter((other) => other !== n);
            }
            ends.get(n)?.();
          }
          for (const key of ['a', 'b'] as const) {
            assert.ok(running[key].length <= 2);
            assert.ok(running[key].length === 2 || waiting[key].length === 0, 'nobody waits for nothing');
          }
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
