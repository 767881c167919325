import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { type HttpServer, startHttpServer } from '../http/server.ts';
import { createLog } from '../log.ts';
import { type Revocation, Revocations } from './revocations.ts';

const NOW_S = 1_700_000_000;
const log = createLog('test', 'silent');

describe('the revocations that a service follows', () => {
  let server: HttpServer;
  let feed: Feed;
  let now: number;
  let revocations: Revocations;
  let heard: string[];
  beforeEach(async () => {
    feed = new Feed();
    server = await startHttpServer(
      (request, response) => feed.open(request.url ?? '', response),
      '127.0.0.1',
      0,
    );
    now = NOW_S * 1000;
    heard = [];
    revocations = new Revocations(server.url, 'secret', log, () => now);
    revocations.onRevoked((sessionId) => heard.push(sessionId));
    revocations.onReset(() => heard.push('reset'));
  });
  afterEach(async () => {
    await revocations[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** Until the last of these lines was taken. */
  const take = async (...lines: Omit<Revocation, 'cursor'>[]) => {
    const mark = `mark ${heard.length}`;
    await feed.write([...lines, { session_id: mark, until: 0 }]);
    while (heard.at(-1) !== mark) await new Promise(setImmediate);
    heard.pop();
  };

  it('are told of a reset before what is told again, and forget nothing that they knew', async () => {
    await take({ session_id: 'old', until: NOW_S + 900 }, { caught_up: true });
    await take({ reset: true }, { session_id: 'missed', until: NOW_S + 900 });
    assert.deepEqual(heard, ['old', 'reset', 'missed']);
    assert.equal(revocations.has('old'), true);
    assert.equal(revocations.has('missed'), true);
    assert.equal(revocations.isCaughtUp, true);
  });

  it('go on after a reset from the beginning, where the feed does', async () => {
    await take({ session_id: 'old', until: NOW_S + 900 });
    feed.cursor = 0;
    await take({ reset: true });
    feed.cut();
    await take({ session_id: 'next', until: NOW_S + 900 });
    assert.deepEqual(feed.asked, ['', '1']);
  });

  it('tell of a session whose tokens have expired, which may have streams, and do not keep it', async () => {
    await take({ session_id: 'expired', until: NOW_S - 3_600 });
    assert.deepEqual(heard, ['expired']);
    assert.equal(revocations.has('expired'), false);
  });

  it('are known as long as a clock that is set back an hour may make their tokens valid', async () => {
    now += 3_600_000;
    await take({ session_id: 'ada', until: NOW_S + 900 });
    const many = Array.from({ length: 3_000 }, (_, i) => ({ session_id: `${i}`, until: NOW_S + 900 }));
    await take(...many);
    now -= 3_600_000;
    assert.equal(revocations.has('ada'), true);
  });

  it('are forgotten when they matter no more, though one of the first matters for a month', async () => {
    await take({ session_id: 'first app', until: NOW_S + 30 * 86_400 });
    for (let round = 0; round < 10; round++) {
      const until = now / 1000 + 900;
      await take(...Array.from({ length: 1_000 }, (_, i) => ({ session_id: `${round} ${i}`, until })));
      assert.ok(revocations.size <= 3_000, `${revocations.size} are kept`);
      assert.equal(revocations.has(`${round} 999`), true);
      now += 4_501_000;
    }
    assert.equal(revocations.has('first app'), true);
  });
});

/** A feed that says what the test says. */
class Feed {
  /** The cursors that it was asked for. */
  readonly asked: string[] = [];
  cursor = 0;
  #reader = Promise.withResolvers<ServerResponse>();

  open(url: string, response: ServerResponse): void {
    this.asked.push(new URL(url, 'http://feed').searchParams.get('after') ?? '');
    response.writeHead(200).flushHeaders();
    this.#reader.resolve(response);
  }

  async write(lines: Omit<Revocation, 'cursor'>[]): Promise<void> {
    const reader = await this.#reader.promise;
    for (const line of lines) {
      const cursor = line.reset ? '0' : String(++this.cursor);
      reader.write(`${JSON.stringify({ cursor, ...line })}\n`);
    }
  }

  /** The next line goes to the next reader. */
  cut(): void {
    this.#reader.promise.then((reader) => reader.destroy());
    this.#reader = Promise.withResolvers();
  }
}
