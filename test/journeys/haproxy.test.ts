import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import type { RunningEngine } from '../../scripts/engines/engine.ts';
import { haproxy } from '../../scripts/engines/haproxy.ts';
import { eventually } from '../outside/eventually.ts';
import { Chat, chatStub, unary } from '../outside/grpc.ts';
import { type Account, call, register } from '../outside/http.ts';
import { type System, startSystem } from '../outside/system.ts';

const DEFAULTS = 'defaults\n  timeout connect 5s\n  timeout client 50s\n  timeout server 50s\n';

/** As one client connects, over and over: from an address of its own. */
function from(url: string, localAddress: string): Socket {
  const { port } = new URL(url);
  return connect({ host: '127.0.0.1', port: Number(port), localAddress }).on('error', () => {});
}

/** The status of the answer to a request on a connection, or undefined when it is closed instead. */
async function statusOf(socket: Socket, request: string): Promise<number | undefined> {
  socket.write(request);
  const first = await Promise.race([
    once(socket, 'data').then(([chunk]) => String(chunk)),
    new Promise<undefined>((resolve) => socket.once('close', () => resolve(undefined))),
  ]);
  return first === undefined ? undefined : Number(/^HTTP\/1.1 (\d+)/.exec(first)?.[1]);
}

const GET = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';

describe('behind a HAProxy', () => {
  if (!haproxy.isInstalled()) {
    it(`needs HAProxy: ${haproxy.howToInstall}`);
    return;
  }

  describe('that passes connections on with a PROXY header', () => {
    let system: System;
    let proxy: RunningEngine;
    let ada: Account;
    before(async () => {
      system = await startSystem({
        CHATTERBOX_PROXY_PROTOCOL: '127.0.0.1',
        CHATTERBOX_CONNECTIONS_PER_ADDRESS: '10',
      });
      const { host } = new URL(system.url);
      proxy = await haproxy.start(
        (port) => `${DEFAULTS}  mode tcp
listen front
  bind 127.0.0.1:${port}
  server gateway ${host} send-proxy-v2 check inter 200ms
`,
      );
      await eventually(async () => assert.equal((await call(proxy.url, 'GET', '/healthz')).status, 200));
      ada = await register(proxy.url, 'ada');
    });
    after(async () => {
      await proxy?.[Symbol.asyncDispose]();
      await system?.[Symbol.asyncDispose]();
    });

    it('people chat over the one port, with gRPC and HTTP', async () => {
      const bob = await register(proxy.url, 'bob');
      const chat = new Chat(chatStub(proxy.url), { token: bob.token });
      await chat.opened();
      const stub = chatStub(proxy.url);
      await unary(stub, 'SendMessage', { friend: 'bob', message: 'hello' }, { token: ada.token });
      assert.equal((await chat.next()).message, 'hello');
      await chat.end();
      stub.close();
    });

    it('a client that has all its connections leaves the others theirs', async () => {
      const greedy = Array.from({ length: 10 }, () => from(proxy.url, '127.0.0.5'));
      for (const socket of greedy) assert.equal(await statusOf(socket, GET), 200);
      assert.equal(await statusOf(from(proxy.url, '127.0.0.5'), GET), undefined);
      assert.equal(await statusOf(from(proxy.url, '127.0.0.6'), GET), 200);
      for (const socket of greedy) socket.destroy();
      await eventually(async () => {
        const again = from(proxy.url, '127.0.0.5');
        assert.equal(await statusOf(again, GET), 200);
        again.destroy();
      });
    });

    it('a connection that goes past it is refused', async () => {
      const socket = from(system.url, '127.0.0.1');
      socket.write(GET);
      assert.equal(await text(socket), '');
    });
  });

  describe('that passes requests on with X-Forwarded-For', () => {
    let system: System;
    let proxy: RunningEngine;
    before(async () => {
      system = await startSystem({
        CHATTERBOX_TRUST_PROXY: '127.0.0.1',
        CHATTERBOX_CONNECTIONS_PER_ADDRESS: '2',
        CHATTERBOX_REQUESTS_PER_ADDRESS: '2',
      });
      const { host } = new URL(system.url);
      proxy = await haproxy.start(
        (port) => `${DEFAULTS}  mode http
  option forwardfor
frontend front
  bind 127.0.0.1:${port}
  use_backend grpc if { req.hdr(content-type) -m beg application/grpc }
  default_backend rest
backend grpc
  server gateway ${host} proto h2
backend rest
  server gateway ${host}
`,
      );
      await eventually(async () => assert.equal((await call(proxy.url, 'GET', '/healthz')).status, 200));
    });
    after(async () => {
      await proxy?.[Symbol.asyncDispose]();
      await system?.[Symbol.asyncDispose]();
    });

    it('people chat, also where HAProxy tells the two protocols apart', async () => {
      const [ada] = await Promise.all([register(proxy.url, 'ada'), register(proxy.url, 'bob')]);
      const stub = chatStub(proxy.url);
      const { seq } = await unary(
        stub,
        'SendMessage',
        { friend: 'bob', message: 'hello' },
        { token: ada.token },
      );
      assert.equal(seq, '1');
      stub.close();
    });

    it('requests count by the client, and connections of the proxy by nobody', async () => {
      const post = 'POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
      const unfinished = Array.from({ length: 2 }, () => from(proxy.url, '127.0.0.5'));
      for (const socket of unfinished) socket.write(`${post}content-length: 100\r\n\r\n{`);
      await eventually(async () => {
        assert.equal(await statusOf(from(proxy.url, '127.0.0.5'), GET), 429);
      });
      assert.equal(await statusOf(from(proxy.url, '127.0.0.6'), GET), 200);
      for (const socket of unfinished) socket.destroy();
    });
  });
});
