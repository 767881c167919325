import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { watchedClock } from './clocks.ts';

describe('a watched clock', () => {
  const HOUR_MS = 3_600_000;
  let now = 0;
  let steady = 0;
  const pass = (ms: number) => {
    now += ms;
    steady += ms;
  };
  const watch = () => {
    now = 1_800_000_000_000;
    steady = 17;
    const sets: number[] = [];
    const clock = watchedClock(
      () => now,
      () => steady,
      (byMs) => sets.push(byMs),
    );
    return { clock, sets };
  };

  it('tells what the clock tells, and nothing else while time only passes', () => {
    const { clock, sets } = watch();
    for (const ms of [0, 1, HOUR_MS, 30 * 24 * HOUR_MS]) {
      pass(ms);
      assert.equal(clock(), now);
    }
    assert.deepEqual(sets, []);
  });

  for (const step of [HOUR_MS, -HOUR_MS])
    it(`tells once by how much it was set, when that was by ${step / 60_000} min, and goes on with the new time`, () => {
      const { clock, sets } = watch();
      pass(5_000);
      now += step;
      assert.equal(clock(), now);
      pass(5_000);
      clock();
      assert.deepEqual(sets, [step]);
    });

  it('takes a minute for a correction', () => {
    const { clock, sets } = watch();
    for (const step of [60_000, -60_000]) {
      now += step;
      clock();
    }
    assert.deepEqual(sets, []);
  });
});
