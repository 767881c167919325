import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { haproxy } from '../../scripts/engines/haproxy.ts';
import { eventually } from '../outside/eventually.ts';
import { Chat, chatStub, unary } from '../outside/grpc.ts';
import { type Account, call, register } from '../outside/http.ts';
import { connectFrom, firstAnswer } from '../outside/sockets.ts';
import { startSystem } from '../outside/system.ts';

const DEFAULTS = 'defaults\n  timeout connect 5s\n  timeout client 50s\n  timeout server 50s\n';

/** The status of the answer to a request on a connection, or undefined when it is closed instead. */
async function statusOf(socket: Socket, request: string): Promise<number | undefined> {
  const answer = await firstAnswer(socket, request);
  return answer === undefined ? undefined : Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]);
}

const GET = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';

describe('behind a HAProxy', () => {
  if (!haproxy.isInstalled()) {
    it(`needs HAProxy: ${haproxy.howToInstall}`);
    return;
  }

  describe('that passes connections on with a PROXY header', () => {
    let behind: Behind;
    let ada: Account;
    before(async () => {
      const settings = { CHATTERBOX_PROXY_PROTOCOL: '127.0.0.1', CHATTERBOX_CONNECTIONS_PER_ADDRESS: '10' };
      behind = await startBehind(
        settings,
        (port, gateway) => `  mode tcp
listen front
  bind 127.0.0.1:${port}
  server gateway ${gateway} send-proxy-v2 check inter 200ms
`,
      );
      ada = await register(behind.url, 'ada');
    });
    after(() => behind?.[Symbol.asyncDispose]());

    it('people chat over the one port, with gRPC and HTTP', async () => {
      const bob = await register(behind.url, 'bob');
      const chat = new Chat(chatStub(behind.url), { token: bob.token });
      await chat.opened();
      const stub = chatStub(behind.url);
      await unary(stub, 'SendMessage', { friend: 'bob', message: 'hello' }, { token: ada.token });
      assert.equal((await chat.next()).message, 'hello');
      await chat.end();
      stub.close();
    });

    it('a client that has all its connections leaves the others theirs', async () => {
      const greedy = Array.from({ length: 10 }, () => connectFrom(behind.url, '127.0.0.5'));
      for (const socket of greedy) assert.equal(await statusOf(socket, GET), 200);
      assert.equal(await statusOf(connectFrom(behind.url, '127.0.0.5'), GET), undefined);
      assert.equal(await statusOf(connectFrom(behind.url, '127.0.0.6'), GET), 200);
      for (const socket of greedy) socket.destroy();
      await eventually(async () => {
        const again = connectFrom(behind.url, '127.0.0.5');
        assert.equal(await statusOf(again, GET), 200);
        again.destroy();
      });
    });

    it('a connection that goes past it is refused', async () => {
      const socket = connectFrom(behind.gatewayUrl, '127.0.0.1');
      socket.write(GET);
      assert.equal(await text(socket), '');
    });
  });

  describe('that passes requests on with X-Forwarded-For', () => {
    let behind: Behind;
    before(async () => {
      const settings = {
        CHATTERBOX_TRUST_PROXY: '127.0.0.1',
        CHATTERBOX_CONNECTIONS_PER_ADDRESS: '2',
        CHATTERBOX_REQUESTS_PER_ADDRESS: '2',
      };
      behind = await startBehind(
        settings,
        (port, gateway) => `  mode http
  option forwardfor
frontend front
  bind 127.0.0.1:${port}
  use_backend grpc if { req.hdr(content-type) -m beg application/grpc }
  default_backend rest
backend grpc
  server gateway ${gateway} proto h2
backend rest
  server gateway ${gateway}
`,
      );
    });
    after(() => behind?.[Symbol.asyncDispose]());

    it('people chat, also where HAProxy tells the two protocols apart', async () => {
      const [ada] = await Promise.all([register(behind.url, 'ada'), register(behind.url, 'bob')]);
      const stub = chatStub(behind.url);
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
      const unfinished = Array.from({ length: 2 }, () => connectFrom(behind.url, '127.0.0.5'));
      for (const socket of unfinished) socket.write(`${post}content-length: 100\r\n\r\n{`);
      await eventually(async () => {
        assert.equal(await statusOf(connectFrom(behind.url, '127.0.0.5'), GET), 429);
      });
      assert.equal(await statusOf(connectFrom(behind.url, '127.0.0.6'), GET), 200);
      for (const socket of unfinished) socket.destroy();
    });
  });
});

interface Behind extends AsyncDisposable {
  /** Of the proxy. */
  url: string;
  /** Past it. */
  gatewayUrl: string;
}

/** The system behind a HAProxy, ready to be used. `config` is given its port and the gateway's `host:port`. */
async function startBehind(
  settings: Record<string, string>,
  config: (port: number, gateway: string) => string,
): Promise<Behind> {
  await using parts = new AsyncDisposableStack();
  const { url: gatewayUrl } = parts.use(await startSystem(settings));
  const { host } = new URL(gatewayUrl);
  const { url } = parts.use(await haproxy.start((port) => `${DEFAULTS}${config(port, host)}`));
  await eventually(async () => assert.equal((await call(url, 'GET', '/healthz')).status, 200));
  const running = parts.move();
  return { url, gatewayUrl, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
