import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { ServiceError } from '#common/errors.ts';
import { LiveCalls } from './live-calls.ts';

describe('the open streams', () => {
  it('take none of a login session that ended after its token was checked', () => {
    const calls = new LiveCalls(3_600_000, (sessionId) => sessionId === 'ended');
    assert.throws(() => calls.open('ended'), { reason: 'SESSION_ENDED' });
    using live = calls.open('other');
    assert.equal(live.reason, undefined);
    calls.stop();
  });

  it('all end with RECONNECT, and may open again', () => {
    const calls = new LiveCalls(3_600_000);
    using one = calls.open('one');
    const heard: ServiceError[] = [];
    one.onEnd((reason) => heard.push(reason));
    calls.reconnectAll();
    assert.equal(one.reason?.reason, 'RECONNECT');
    assert.equal(heard.length, 1);
    using again = calls.open('one');
    assert.equal(again.reason, undefined);
    calls.stop();
  });
});
