import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import { UserRate } from './user-rate.ts';

describe('the send rate', () => {
  it('allows a burst, then refuses with how long to wait, and each user has their own', () => {
    let now = 0;
    const rate = new UserRate({ perSecond: 100, burst: 3 }, () => now);
    for (let i = 0; i < 3; i++) rate.take('ada');
    const refused = (error: unknown) =>
      error instanceof ServiceError && error.reason === 'RATE_LIMITED' && error.retryAfterMs === 10;
    assert.throws(() => rate.take('ada'), refused);
    rate.take('bob');
    now += 10;
    rate.take('ada');
    assert.throws(() => rate.take('ada'), refused);
  });

  it('never saves up more than the burst', () => {
    let now = 1_000_000;
    const rate = new UserRate({ perSecond: 100, burst: 2 }, () => now);
    rate.take('ada');
    rate.take('ada');
    assert.throws(() => rate.take('ada'));
    now += 1_000_000;
    rate.take('ada');
    rate.take('ada');
    assert.throws(() => rate.take('ada'));
  });
});
