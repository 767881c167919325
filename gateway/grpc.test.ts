import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Metadata,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServiceError,
  type StatusObject,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import { rawCall, reasonOf } from './fixtures/raw-call.ts';
import { send, startWorld, type World, withToken } from './fixtures/world.ts';

type Message = Record<string, unknown>;

describe('gRPC through the gateway', () => {
  let world: World;
  let seen: Metadata[] = [];
  let cancelled = 0;
  const detailed = new Metadata();
  detailed.set('grpc-status-details-bin', Buffer.from('of the service'));

  const behaviour: UntypedServiceImplementation = {
    SendMessage(call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) {
      seen.push(call.metadata);
      if (call.request.message === 'refuse')
        answer({ code: status.NOT_FOUND, details: 'nobody – 100%', metadata: detailed });
      else if (call.request.message !== 'silence')
        answer(null, { deliveryStatus: true, client_id: call.request.client_id });
      else call.on('cancelled', () => cancelled++);
    },
    StreamMessage(call: ServerReadableStream<Message, Message>, answer: sendUnaryData<Message>) {
      let committed = 0;
      call.on('data', () => committed++);
      call.on('end', () => answer(null, { committed }));
    },
    SendMessagesGRPC(call: ServerDuplexStream<Message, Message>) {
      call.on('error', () => {});
      call.on('data', (message: Message) => {
        if (message.message === 'enough') call.end();
        else if (!call.write(message)) call.pause();
      });
      call.on('drain', () => call.resume());
      call.on('end', () => call.end());
    },
  };

  before(async () => {
    world = await startWorld(behaviour, { limits: { replayWithinMs: 1_500 } });
  });
  after(() => world[Symbol.asyncDispose]());

  it('passes a unary call and its answer', async () => {
    const reply = await send(world.chat(), { message: 'hi', client_id: 'c1' }, withToken(world.token()));
    assert.equal(reply.client_id, 'c1');
  });

  it('passes the status and the message of a refusal', async () => {
    await assert.rejects(send(world.chat(), { message: 'refuse' }, withToken(world.token())), {
      code: status.NOT_FOUND,
      details: 'nobody – 100%',
    });
  });

  it('passes a client stream with its half-close', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const call = world
      .chat()
      .StreamMessage(withToken(world.token()), (e: unknown, r: Message) => (e ? reject(e) : resolve(r)));
    for (let i = 0; i < 500; i++) call.write({ message: 'x'.repeat(1_000) });
    call.end();
    assert.equal((await promise).committed, 500);
  });

  it('passes both directions of a stream and ends it when both are done', async () => {
    const call = world.chat().SendMessagesGRPC(withToken(world.token()));
    const received: Message[] = [];
    call.on('data', (message: Message) => received.push(message));
    for (let i = 0; i < 200; i++) call.write({ message: `m${i}` });
    call.end();
    const end = await ending(call);
    assert.equal(end.code, status.OK);
    assert.deepEqual(
      received.map((m) => m.message),
      Array.from({ length: 200 }, (_, i) => `m${i}`),
    );
  });

  it('refuses a call without a token, with details that say why', async () => {
    const error: ServiceError = await send(world.chat(), {}, withToken('no.to.ken')).then(
      () => assert.fail('it was let in'),
      (refusal) => refusal,
    );
    assert.equal(error.code, status.UNAUTHENTICATED);
    assert.match(String(error.metadata.get('grpc-status-details-bin')[0]), /UNAUTHENTICATED/);
  });

  it('refuses two authorization headers', async () => {
    const { 'grpc-status': code } = await rawCall(world, {
      authorization: [`Bearer ${world.token()}`, 'Bearer x.y.z'],
    });
    assert.equal(Number(code), status.UNAUTHENTICATED);
  });

  it('refuses an unauthenticated stream while none of its messages is read', async () => {
    const before = seen.length;
    const call = world.chat().SendMessagesGRPC(withToken('a.b.c'));
    call.on('data', () => {});
    call.on('error', () => {});
    for (let i = 0; i < 100; i++) call.write({ message: 'x'.repeat(10_000) });
    const end = await ending(call);
    assert.equal(end.code, status.UNAUTHENTICATED);
    assert.equal(seen.length, before);
  });

  it('knows nothing of internal and unknown services, and says so in our terms', async () => {
    for (const path of ['/chatterbox.internal.v1.CommitFeed/Follow', '/a.B/C', '/toString/x', '/x']) {
      const trailers = await rawCall(world, { ':path': path, authorization: `Bearer ${world.token()}` });
      assert.equal(Number(trailers['grpc-status']), status.UNIMPLEMENTED);
      assert.equal(reasonOf(trailers), 'UNIMPLEMENTED');
    }
  });

  it('asks for no token at the health service', async () => {
    const trailers = await rawCall(world, { ':path': '/grpc.health.v1.Health/Check' }, Buffer.alloc(5));
    assert.equal(Number(trailers['grpc-status']), status.OK);
  });

  it('passes the headers that mean something to a messenger, none that only services may set, and an id', async () => {
    seen = [];
    const spoofed = {
      'chatterbox-service': 's',
      'x-user-id': 'eve',
      'x-forwarded-for': '1.2.3.4',
      'x-mine': 'left out',
      traceparent: 'kept',
    };
    await send(world.chat(), { message: 'hi' }, withToken(world.token(), spoofed));
    const { 'x-request-id': id, ...headers } = seen[0]?.getMap() ?? {};
    assert.ok(id);
    assert.equal(headers.traceparent, 'kept');
    for (const name of ['chatterbox-service', 'x-user-id', 'x-forwarded-for', 'x-mine'])
      assert.ok(!(name in headers), name);
  });

  it('cancels at the messenger what the client cancels, and 1,500 cancels leave another client alone', async () => {
    const innocent = world.chat().SendMessagesGRPC(withToken(world.token()));
    innocent.on('error', () => {});
    innocent.write({ message: 'before' });
    await once(innocent, 'data');
    const storm = world.chat();
    const metadata = withToken(world.token());
    for (let round = 0; round < 15; round++) {
      const ended = Array.from({ length: 100 }, () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const call = storm.SendMessage({ message: 'silence' }, metadata, () => resolve());
        setImmediate(() => call.cancel());
        return promise;
      });
      await Promise.all(ended);
    }
    assert.ok(cancelled > 0);
    innocent.write({ message: 'after' });
    const [message] = await once(innocent, 'data');
    assert.equal(message.message, 'after');
    innocent.cancel();
  });

  it('does not buffer for a client that does not read', async () => {
    const call = world.chat().SendMessagesGRPC(withToken(world.token()));
    call.on('error', () => {});
    call.on('data', () => {}).pause();
    let written = 0;
    while (written < 100_000 && call.write({ message: 'x'.repeat(4_000) })) {
      written++;
      await new Promise(setImmediate);
    }
    assert.ok(written < 800, `${written} messages went nowhere`);
    call.cancel();
  });

  it('ends a stream that the messenger ends before the client does', async () => {
    const call = world.chat().SendMessagesGRPC(withToken(world.token()));
    call.on('data', () => {});
    call.write({ message: 'enough' });
    assert.equal((await ending(call)).code, status.OK);
  });

  it('lets a stream outlive its token', async () => {
    const token = world.token({ exp: Math.floor(Date.now() / 1000) + 2 });
    const call = world.chat().SendMessagesGRPC(withToken(token));
    call.on('error', () => {});
    call.write({ message: 'young' });
    await once(call, 'data');
    await assertEventually(async () => {
      await assert.rejects(send(world.chat(), { message: 'hi' }, withToken(token)), {
        code: status.UNAUTHENTICATED,
      });
    });
    call.write({ message: 'old' });
    assert.equal((await once(call, 'data'))[0].message, 'old');
    call.cancel();
  });

  it('keeps a call until the messenger is back, and says UNAVAILABLE when it stays away', async () => {
    world.messenger.kill();
    await assert.rejects(send(world.chat(), { message: 'hi' }, withToken(world.token())), {
      code: status.UNAVAILABLE,
    });
    const sending = send(world.chat(), { message: 'hi', client_id: 'again' }, withToken(world.token()));
    await delay(500);
    await world.messenger.listen();
    assert.equal((await sending).client_id, 'again');
  });

  it('tells open streams to reconnect when it stops', async () => {
    const call = world.chat().SendMessagesGRPC(withToken(world.token()));
    call.on('error', () => {});
    call.write({ message: 'there' });
    await once(call, 'data');
    const ended = ending(call);
    await world.stopGateway();
    const end = await ended;
    assert.equal(end.code, status.UNAVAILABLE);
    assert.match(String(end.metadata.get('grpc-status-details-bin')[0]), /RECONNECT/);
  });
});

/** The status of a call; a stream that ends badly also emits an error, which `once` would throw. */
function ending(call: NodeJS.EventEmitter): Promise<StatusObject> {
  return new Promise((resolve) => call.once('status', resolve));
}

async function assertEventually(check: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}
