import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { text } from 'node:stream/consumers';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { describe, it } from 'mocha';
import { Metrics } from '#common/metrics.ts';
import { eventually } from '../test/outside/eventually.ts';
import {
  dataFrame,
  encode,
  FLAG,
  FRAME,
  headersFrame,
  RawConnection,
  requestOf,
  SETTING,
} from '../test/outside/raw-frames.ts';
import { connectFrom, firstAnswer } from '../test/outside/sockets.ts';
import { raw } from './fixtures/http.ts';
import { reasonOf } from './fixtures/raw-call.ts';
import { SECRET, startWorld, type World } from './fixtures/world.ts';

const GET = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';
const UNFINISHED = 'POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{';

const from = (world: World, localAddress: string) => connectFrom(world.url, localAddress);

describe('what one address may take', () => {
  it('is so many connections, and another address has its own', async () => {
    await using world = await startWorld({}, { limits: { connectionsPerAddress: 2 } });
    const own = [from(world, '127.0.0.2'), from(world, '127.0.0.2')];
    for (const socket of own) assert.match((await firstAnswer(socket, GET)) ?? '', /200 OK/);
    assert.equal(await firstAnswer(from(world, '127.0.0.2'), GET), undefined);
    assert.match((await firstAnswer(from(world, '127.0.0.3'), GET)) ?? '', /200 OK/);
  });

  it('does not hold what carries the service credential in its first request or call', async () => {
    await using world = await startWorld({}, { limits: { connectionsPerAddress: 2 } });
    for (let i = 0; i < 3; i++) {
      const service = GET.replace('\r\n\r\n', `\r\nchatterbox-service: ${SECRET}\r\n\r\n`);
      assert.match((await firstAnswer(from(world, '127.0.0.2'), service)) ?? '', /200 OK/);
      const session = connectHttp2(world.url, { createConnection: () => from(world, '127.0.0.2') });
      const call = session.request({ ':path': '/healthz', 'chatterbox-service': SECRET });
      assert.match(await text(call), /ok/);
    }
    const wrong = GET.replace('\r\n\r\n', `\r\nchatterbox-service: ${SECRET}!\r\n\r\n`);
    for (let i = 0; i < 2; i++) assert.ok(await firstAnswer(from(world, '127.0.0.2'), wrong));
    assert.equal(await firstAnswer(from(world, '127.0.0.2'), wrong), undefined);
  });

  it('is so many requests in flight, over HTTP/1.1 and HTTP/2 together', async () => {
    await using world = await startWorld({}, { limits: { requestsPerAddress: 2 } });
    const first = from(world, '127.0.0.2');
    first.write(UNFINISHED);
    const session = connectHttp2(world.url, { createConnection: () => from(world, '127.0.0.2') });
    const second = session.request({ ':method': 'POST', ':path': '/auth/login' });
    second.on('error', () => {}).write('{');
    // In flight once they have come.
    for (;;) {
      const head = await firstAnswer(from(world, '127.0.0.2'), GET);
      if (head?.startsWith('HTTP/1.1 429')) {
        assert.match(head, /retry-after: 1\r\n[\s\S]*RATE_LIMITED/i);
        break;
      }
    }
    const refused = session.request({ ':path': '/healthz' });
    assert.equal((await once(refused, 'response'))[0][':status'], 429);
    assert.match((await firstAnswer(from(world, '127.0.0.3'), GET)) ?? '', /200 OK/);
    first.destroy();
    session.destroy();
    while (!/200 OK/.test((await firstAnswer(from(world, '127.0.0.2'), GET)) ?? ''));
  });
});

describe('the clients of a proxy that share its connection', () => {
  const BEHIND = { trustedProxies: ['127.0.0.2'] };
  const open = (world: World) =>
    connectHttp2(world.url, { createConnection: () => from(world, '127.0.0.2') });
  const ask = async (session: ReturnType<typeof open>, client: string) => {
    const call = session.request({ ':path': '/healthz', 'x-forwarded-for': client });
    return (await once(call, 'response'))[0][':status'];
  };

  it('are carried over HTTP/1.1 each in their own turn, and few of each', async () => {
    await using world = await startWorld({}, BEHIND);
    const session = open(world);
    for (let i = 0; i < 40; i++)
      session
        .request({ ':method': 'POST', ':path': '/auth/login', 'x-forwarded-for': '198.51.100.7' })
        .on('error', () => {})
        .write('{');
    assert.equal(await ask(session, '198.51.100.8'), 200);
    assert.equal(await ask(session, '198.51.100.7'), 429);
    session.destroy();
  });

  it('lose no stream for the small frames of another', async () => {
    await using world = await startWorld({}, BEHIND);
    using connection = await RawConnection.open(world.url, { localAddress: '127.0.0.2' });
    connection.write(headersFrame(1, requestOf('POST', '/auth/login')));
    const frame = encode(dataFrame(1, Buffer.from('{')));
    connection.writeBytes(Buffer.concat(Array.from({ length: 40_000 }, () => frame)));
    await connection.first(({ type, stream }) => type === FRAME.reset && stream === 1);
    connection.write({
      ...headersFrame(3, requestOf('GET', '/healthz')),
      flags: FLAG.endHeaders | FLAG.endStream,
    });
    await connection.first(({ stream, flags }) => stream === 3 && (flags & FLAG.endStream) !== 0);
  });
});

describe('one connection', () => {
  it('that sends very small frames is told to calm down', async () => {
    await using world = await startWorld({});
    using connection = await RawConnection.open(world.url);
    connection.write(headersFrame(1, requestOf('POST', '/auth/login')));
    const frame = encode(dataFrame(1, Buffer.from('{')));
    connection.writeBytes(Buffer.concat(Array.from({ length: 40_000 }, () => frame)));
    const { payload } = await connection.first(({ type }) => type === FRAME.goaway);
    assert.equal(payload.readUInt32BE(4), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
});

describe('streams that are held open', () => {
  const hold = (world: World, path: string, token?: string) => {
    const session = connectHttp2(world.url, { createConnection: () => from(world, '127.0.0.2') });
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      ...(token && { authorization: `Bearer ${token}` }),
    });
    call.on('error', () => {}).write(Buffer.alloc(5));
    return call;
  };
  const refused = async (call: ReturnType<typeof hold>) => reasonOf((await once(call, 'response'))[0]);

  it('without a token are few for an address', async () => {
    await using world = await startWorld({}, { limits: { tokenlessPerAddress: 1 } });
    const path = '/grpc.health.v1.Health/Watch';
    const watch = hold(world, path).end();
    await once(watch, 'data');
    assert.equal(
      await refused(hold(world, '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo')),
      'RATE_LIMITED',
    );
    watch.close(constants.NGHTTP2_CANCEL);
    await eventually(async () => {
      const [head] = await once(hold(world, path).end(), 'response');
      assert.ok(!('grpc-status' in head));
    });
  });

  it('are few for a user, whatever the address', async () => {
    const behaviour = {
      SendMessagesGRPC(call: ServerDuplexStream<Record<string, unknown>, object>) {
        call.on('error', () => {}).on('data', (message) => call.write(message));
      },
    };
    await using world = await startWorld(behaviour, { limits: { streamsPerUser: 1 } });
    const path = '/org.harshit.messenger.chat.ChatService/SendMessagesGRPC';
    const [ada, bob] = [world.token(), world.token({ sub: 'bob' })];
    await once(hold(world, path, ada), 'data');
    assert.equal(await refused(hold(world, path, ada)), 'RATE_LIMITED');
    await once(hold(world, path, bob), 'data');
  });
});

describe('a body that does not come', () => {
  it('is answered with 408 over HTTP/1.1 and HTTP/2', async () => {
    await using world = await startWorld({}, { limits: { bodyMs: 50 } });
    assert.match(await raw(world, UNFINISHED), /^HTTP\/1.1 408[\s\S]*REQUEST_TIMEOUT/);
    const session = connectHttp2(world.url);
    const call = session.request({ ':method': 'POST', ':path': '/auth/login' });
    call.write('{');
    assert.equal((await once(call, 'response'))[0][':status'], 408);
    session.destroy();
  });

  it('ends a unary call with DEADLINE_EXCEEDED, and no stream', async () => {
    const behaviour = {
      SendMessagesGRPC: (call: ServerDuplexStream<unknown, unknown>) => call.on('error', () => {}).resume(),
    };
    await using world = await startWorld(behaviour, { limits: { bodyMs: 50 } });
    const session = connectHttp2(world.url);
    const begin = (method: string) => {
      const call = session.request({
        ':method': 'POST',
        ':path': `/org.harshit.messenger.chat.ChatService/${method}`,
        'content-type': 'application/grpc',
        authorization: `Bearer ${world.token()}`,
      });
      call.on('error', () => {}).write(Buffer.from([0, 0, 0]));
      return call;
    };
    const stream = begin('SendMessagesGRPC');
    stream.once('response', () => assert.fail('the stream was answered'));
    const [trailers] = await once(begin('SendMessage'), 'response');
    assert.equal(Number(trailers['grpc-status']), status.DEADLINE_EXCEEDED);
    assert.equal(reasonOf(trailers), 'REQUEST_TIMEOUT');
    session.destroy();
  });
});

describe('an answer that is not fetched', () => {
  it('is cut, over HTTP/1.1 and HTTP/2', async () => {
    const large: RequestListener = (_request, response) => void response.end(Buffer.alloc(LARGE));
    const limits = { answerMs: 50, bodyMs: 50 };
    const metrics = new Metrics();
    await using world = await startWorld({}, { authenticator: large, limits, metrics });
    using connection = await RawConnection.open(world.url, { settings: { [SETTING.initialWindowSize]: 0 } });
    connection.write({
      ...headersFrame(1, requestOf('GET', '/auth')),
      flags: FLAG.endHeaders | FLAG.endStream,
    });
    await connection.first(({ type, stream }) => type === FRAME.reset && stream === 1);

    const socket = from(world, '127.0.0.2').pause();
    const others = await connectionsIn(metrics);
    await once(socket, 'connect');
    socket.write('GET /auth HTTP/1.1\r\nhost: x\r\n\r\n');
    // It has come, and is cut though nothing is read.
    await eventually(async () => assert.ok((await connectionsIn(metrics)) > others));
    await eventually(async () => assert.equal(await connectionsIn(metrics), others));
    assert.ok((await text(socket)).length < LARGE);
  });
});

const LARGE = 20_000_000;

async function connectionsIn(metrics: Metrics): Promise<number> {
  return Number(/^chatterbox_connections\{?.*\}? (\d+)$/m.exec(await metrics.text())?.[1]);
}
