import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import {
  callHeaders,
  callOf,
  dataFrame,
  FLAG,
  FRAME,
  type Frame,
  headersFrame,
  RawConnection,
  requestOf,
} from '../../test/outside/raw-frames.ts';
import { send, startWorld, type World, withToken } from '../fixtures/world.ts';

type Message = Record<string, unknown>;

describe('a client that writes its own frames', () => {
  let world: World;
  let calls = 0;
  before(async () => {
    world = await startWorld({
      SendMessage(_call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) {
        calls++;
        answer(null, {});
      },
      SendMessagesGRPC(call: ServerDuplexStream<Message, Message>) {
        call.on('error', () => {});
        call.on('data', (message: Message) => call.write(message));
      },
    });
  });
  after(() => world[Symbol.asyncDispose]());

  it('gets no further with two authorization headers, although each of them would do', async () => {
    const passed = async (tokens: string[]) => {
      using connection = await RawConnection.open(world.url);
      connection.write(headersFrame(1, callHeaders(...tokens)), emptyMessage(1));
      const before = calls;
      await connection.first(({ stream, flags }) => stream === 1 && (flags & FLAG.endStream) !== 0);
      return calls - before;
    };
    assert.equal(await passed([world.token()]), 1);
    assert.equal(await passed([world.token(), world.token()]), 0);
    assert.equal(await passed([]), 0);
  });

  it('and goes on sending after it was refused has its answer, and is not reset while it may end the stream itself', async () => {
    using connection = await RawConnection.open(world.url);
    for (const [id, headers] of [
      [1, callHeaders()],
      [3, callOf('/no.such.Service/Call')],
      [5, requestOf('POST', '/nothing')],
    ] as const) {
      connection.write(headersFrame(id, headers));
      await connection.first(({ stream, flags }) => stream === id && (flags & FLAG.endStream) !== 0);
      connection.write({ type: FRAME.ping, flags: 0, stream: 0, payload: Buffer.alloc(8, id) });
      await connection.first(({ type, payload }) => type === FRAME.ping && payload[0] === id);
      assert.ok(!connection.received.some(({ type }) => type === FRAME.reset), `stream ${id}`);
    }
    // One that does not end it is asked to.
    await connection.first(({ type, stream }) => type === FRAME.reset && stream === 5);
  });

  it('and sends bytes in a header has them passed on as they are, with a body or without', async () => {
    using connection = await RawConnection.open(world.url);
    for (const [id, method] of [
      [1, 'POST'],
      [3, 'GET'],
    ] as const) {
      const headers = headersFrame(id, [...requestOf(method, '/auth'), ['user-agent', 'caf\xe9']]);
      if (method === 'GET') connection.write({ ...headers, flags: FLAG.endHeaders | FLAG.endStream });
      else connection.write(headers, dataFrame(id, Buffer.from('{}'), FLAG.endStream));
      await connection.first(
        ({ type, stream, flags }) => type === FRAME.data && stream === id && flags === 1,
      );
      const answer = connection.received.filter(({ type, stream }) => type === FRAME.data && stream === id);
      const { headers: passed } = JSON.parse(String(Buffer.concat(answer.map(({ payload }) => payload))));
      assert.equal(passed['user-agent'], 'caf\xe9');
    }
  });

  it('is refused with headers that are not ASCII, or many bytes of them, before a messenger sees them', async () => {
    using connection = await RawConnection.open(world.url);
    const before = calls;
    for (const [id, header] of [
      [1, ['chatterbox-device', 'caf\xe9']],
      [3, ['chatterbox-more', 'x'.repeat(9_000)]],
    ] as const) {
      connection.write(headersFrame(id, [...callHeaders(world.token()), header]), emptyMessage(id));
      await connection.first(({ stream, flags }) => stream === id && (flags & FLAG.endStream) !== 0);
    }
    assert.equal(calls, before);
    connection.write(
      headersFrame(5, [...callHeaders(world.token()), ['x-mine', 'caf\xe9']]),
      emptyMessage(5),
    );
    await connection.first(({ stream, flags }) => stream === 5 && (flags & FLAG.endStream) !== 0);
    assert.equal(calls, before + 1, 'what is not passed on does not matter');
  });

  it('and cancels 1,500 calls at once loses its connection, and nobody else theirs', async () => {
    const innocent = world.chat().SendMessagesGRPC(withToken(world.token()));
    innocent.on('error', () => {});
    innocent.write({ message: 'before' });
    await once(innocent, 'data');

    using connection = await RawConnection.open(world.url);
    const token = world.token();
    const cancelled = Array.from({ length: 1_500 }, (_, i) => 2 * i + 1);
    connection.write(...cancelled.flatMap((id) => [headersFrame(id, callHeaders(token)), reset(id)]));
    const { payload } = await connection.first(({ type }) => type === FRAME.goaway);
    assert.notEqual(payload.readUInt32BE(4), constants.NGHTTP2_NO_ERROR);

    innocent.write({ message: 'after' });
    assert.equal((await once(innocent, 'data'))[0].message, 'after');
    innocent.cancel();
    await send(world.chat(), { message: 'hi' }, withToken(world.token()));
  });
});

function emptyMessage(stream: number): Frame {
  return { type: FRAME.data, flags: FLAG.endStream, stream, payload: Buffer.alloc(5) };
}

function reset(stream: number): Frame {
  return {
    type: FRAME.reset,
    flags: 0,
    stream,
    payload: Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]),
  };
}
