import assert from 'node:assert/strict';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { describe, it } from 'mocha';
import { answerOk, startBadMessenger } from '../fixtures/bad-messenger.ts';
import { rawAnswer, rawCall, reasonOf } from '../fixtures/raw-call.ts';
import { send, startWorld, withToken } from '../fixtures/world.ts';

/** SendMessage with client_id "c", and with a text only. */
const NAMED = Buffer.from([0, 0, 0, 0, 3, 0x2a, 1, 0x63]);
const NAMELESS = Buffer.from([0, 0, 0, 0, 3, 0x1a, 1, 0x63]);

describe('a unary call is sent again', () => {
  it('after REFUSED_STREAM, because the messenger has not taken it', async () => {
    const { trailers, calls } = await callOnce(NAMELESS, (stream) =>
      stream.close(constants.NGHTTP2_REFUSED_STREAM),
    );
    assert.deepEqual([trailers['grpc-status'], calls], ['0', 2]);
  });

  it('after a broken connection when it names a client_id', async () => {
    const { trailers, calls } = await callOnce(NAMED, (stream) => stream.session?.socket.destroy());
    assert.deepEqual([trailers['grpc-status'], calls], ['0', 2]);
  });

  it('but not after a broken connection when it names none, because it may have been taken', async () => {
    const { trailers, calls } = await callOnce(NAMELESS, (stream) => stream.session?.socket.destroy());
    assert.deepEqual([Number(trailers['grpc-status']), calls], [status.UNAVAILABLE, 1]);
    assert.equal(reasonOf(trailers), 'UNAVAILABLE');
  });

  it('after a connection that broke in the middle of the answer, of which the client has seen nothing', async () => {
    const breakOff = (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(Buffer.alloc(5), () => setTimeout(() => stream.session?.socket.destroy(), 50));
    };
    const named = await callOnce(NAMED, breakOff);
    assert.deepEqual([named.trailers['grpc-status'], named.calls], ['0', 2]);
    const nameless = await callOnce(NAMELESS, breakOff);
    assert.deepEqual([Number(nameless.trailers['grpc-status']), nameless.calls], [status.UNAVAILABLE, 1]);
    assert.equal(reasonOf(nameless.trailers), 'RECONNECT');
  });

  it('but not once an answer has grown too long to be held back, which comes as far as it goes', async () => {
    const head = Buffer.from([0, 0, 3, 13, 64]);
    const long = Buffer.concat([head, Buffer.alloc(200_000, 'x')]);
    const { trailers, calls } = await callOnce(NAMED, (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(long.subarray(0, 100_000), () => setTimeout(() => stream.session?.socket.destroy(), 50));
    });
    assert.deepEqual([reasonOf(trailers), calls], ['RECONNECT', 1]);
    await using messenger = await startBadMessenger((stream) => answerOk(stream, long));
    await using world = await startWorld({}, { messengers: [messenger.address] });
    const { length } = await rawAnswer(world, { authorization: `Bearer ${world.token()}` }, NAMED);
    assert.equal(length, long.length);
  });

  it('after a goodbye that says it was not taken, whatever the goodbye’s code', async () => {
    for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_ENHANCE_YOUR_CALM]) {
      let goodbyes = 0;
      await using messenger = await startBadMessenger((stream) => {
        if (stream.id === 1 || goodbyes > 0) return answerOk(stream);
        goodbyes++;
        stream.session?.goaway(code, 1);
      });
      await using world = await startWorld({}, { messengers: [messenger.address] });
      const client = world.chat();
      for (const message of ['first', 'second']) await send(client, { message }, withToken(world.token()));
      assert.equal(messenger.calls, 3);
    }
  });

  it('but not without end', async () => {
    await using messenger = await startBadMessenger((stream) =>
      stream.close(constants.NGHTTP2_REFUSED_STREAM),
    );
    await using world = await startWorld(
      {},
      { messengers: [messenger.address], limits: { replayWithinMs: 100 } },
    );
    const trailers = await rawCall(world, { authorization: `Bearer ${world.token()}` }, NAMED);
    assert.equal(reasonOf(trailers), 'UNAVAILABLE');
    assert.equal(messenger.calls, 8);
  });

  it('and an answer that is no gRPC shows nothing of itself', async () => {
    const { trailers } = await callOnce(NAMED, (stream) => {
      stream.respond({ ':status': 502, 'content-type': 'text/html' });
      stream.end('nginx at 10.0.0.1');
    });
    assert.equal(reasonOf(trailers), 'INTERNAL');
  });
});

/** One call to a messenger that misbehaves at the first and answers from the second on. */
async function callOnce(body: Buffer, misbehave: (stream: ServerHttp2Stream) => void) {
  await using messenger = await startBadMessenger((stream, n) => {
    if (n > 1) answerOk(stream);
    // The whole request has come: what is lost then may have been taken.
    else stream.once('end', () => misbehave(stream));
  });
  await using world = await startWorld({}, { messengers: [messenger.address] });
  const trailers = await rawCall(world, { authorization: `Bearer ${world.token()}` }, body);
  return { trailers, calls: messenger.calls };
}
