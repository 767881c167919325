import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { after, before, beforeEach, describe, it } from 'mocha';
import { PacedConnection } from './paced-connection.ts';

/** A request that says its number, with a body where `body` is given, chunked where it is said. */
function request(
  n: number,
  { body, isChunked = false }: { body?: string; isChunked?: boolean } = {},
): string {
  const head = `POST /${n} HTTP/1.1\r\nhost: x\r\n`;
  if (body === undefined) return `GET /${n} HTTP/1.1\r\nhost: x\r\n\r\n`;
  if (!isChunked) return `${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const chunk = body === '' ? '' : `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
  return `${head}transfer-encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
}

describe('an HTTP/1.1 connection whose requests come all together', () => {
  const open = { parsed: 0, answering: 0 };
  const most = { parsed: 0, answering: 0 };
  const server = createHttpServer((incoming, response) => {
    open.parsed++;
    most.parsed = Math.max(most.parsed, open.parsed);
    response.once('close', () => {
      open.parsed--;
      open.answering--;
    });
    (incoming.socket as unknown as PacedConnection).answer(incoming, response, () => {
      void respond(incoming, response);
    });
  });
  async function respond(incoming: IncomingMessage, response: ServerResponse) {
    open.answering++;
    most.answering = Math.max(most.answering, open.answering);
    const { length } = await text(incoming);
    // As for an answer from somewhere else.
    setImmediate(() => response.end(`${incoming.url} ${length}\n`));
  }
  server.on('clientError', (_error, connection) => connection.destroy());
  const listener = createServer((socket) => {
    const client = {
      address: socket.remoteAddress ?? '',
      isProxy: false,
      cut: () => socket.destroy(),
      isService: () => {},
    };
    server.emit('connection', new PacedConnection(socket, client));
  });
  before(async () => {
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
  });
  after(() => {
    listener.close();
    server.close();
  });
  beforeEach(() => Object.assign(most, { parsed: 0, answering: 0 }));

  /** What is answered to these pieces, until the connection closes. */
  async function answers(pieces: readonly (string | Buffer)[]): Promise<string[]> {
    const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
    await once(socket.setNoDelay(), 'connect');
    const all = text(socket);
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.write('GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    return [...(await all).matchAll(/^(\/.*)\n/gm)].map(([, line = '']) => line);
  }

  it('is answered one request at a time, and few more are parsed', async () => {
    const requests = Array.from({ length: 2_000 }, (_, n) => request(n));
    const lines = await answers([requests.join('')]);
    assert.deepEqual(
      lines.slice(0, -1),
      requests.map((_, n) => `/${n} 0`),
    );
    assert.equal(most.answering, 1);
    assert.ok(most.parsed <= 12, `${most.parsed} parsed at the same time`);
  });

  it('is answered in order, with every body, however the bytes are cut', async () => {
    const body = fc.oneof(
      fc.constant(undefined),
      fc.string({ maxLength: 30 }),
      fc.constant('\r\n\r\n'.repeat(200)),
      fc.constant('GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(9)),
    );
    const spec = fc.record({ body, isChunked: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(spec, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(400), { maxLength: 12 }),
        async (specs, cuts) => {
          const bytes = Buffer.from(
            specs
              .map(({ body: one, isChunked }, n) =>
                request(n, one === undefined ? {} : { body: one, isChunked }),
              )
              .join(''),
          );
          const pieces: Buffer[] = [];
          let rest = bytes;
          for (const cut of cuts) {
            pieces.push(rest.subarray(0, cut + 1));
            rest = rest.subarray(cut + 1);
          }
          const lines = await answers([...pieces, rest].filter(({ length }) => length > 0));
          const wanted = specs.map(({ body: one = '' }, n) => `/${n} ${one.length}`);
          assert.deepEqual(lines, [...wanted, '/last 0']);
          assert.equal(most.answering, 1);
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  it('is closed when its client goes in the middle of an answer', async () => {
    const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const arrived = once(server, 'request');
    socket.write(`${request(1)}${request(2)}${request(3, { body: 'half' }).slice(0, -2)}`);
    const [{ socket: paced }] = await arrived;
    const closed = new Promise((resolve) => paced.once('close', resolve));
    socket.destroy();
    await closed;
    assert.equal(paced.destroyed, true);
  });
});
