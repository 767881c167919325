import assert from 'node:assert/strict';
import type { ServerHttp2Stream } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { answerHealthy, startBadMessenger } from '../fixtures/bad-messenger.ts';
import { Probe } from './probe.ts';

describe('the question for a messenger’s health', () => {
  /** A messenger that answers when the test does, of which nobody asks anything else. */
  async function slowMessenger() {
    const asked: ServerHttp2Stream[] = [];
    return Object.assign(await startBadMessenger(assert.fail, (stream) => asked.push(stream)), { asked });
  }

  it('keeps to its connection when the answer is late, and takes it then', async () => {
    await using messenger = await slowMessenger();
    using probe = new Probe(messenger.address);
    const late = probe.check(20);
    await assert.rejects(late, /no answer in time/);
    const next = probe.check(5_000);
    while (messenger.asked.length === 0) await delay(1);
    messenger.asked.forEach(answerHealthy);
    assert.equal(await next, true);
    assert.equal(messenger.asked.length, 1);
  });

  it('is asked anew when what was asked before is no news any more', async () => {
    await using messenger = await slowMessenger();
    using probe = new Probe(messenger.address);
    await assert.rejects(probe.check(20), /no answer in time/);
    probe.forget();
    const next = probe.check(5_000);
    while (messenger.asked.length < 2) await delay(1);
    messenger.asked.slice(1).forEach(answerHealthy);
    assert.equal(await next, true);
  });
});
