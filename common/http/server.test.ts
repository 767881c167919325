import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'mocha';
import { startHttpServer } from './server.ts';

describe('an HTTP server that stops', () => {
  it('does not wait for a connection that never asked anything', async () => {
    const server = await startHttpServer((_request, response) => response.end(), '127.0.0.1', 0);
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    // An answer on another connection shows that the server has seen the first.
    await (await fetch(server.url)).text();
    const began = performance.now();
    const closed = once(socket.resume(), 'close');
    await server[Symbol.asyncDispose]();
    await closed;
    assert.ok(performance.now() - began < 2_000);
  });

  it('finishes the request in flight, and waits no longer', async () => {
    const arrived = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const server = await startHttpServer(
      async (_request, response) => {
        arrived.resolve();
        await go.promise;
        response.end('done');
      },
      '127.0.0.1',
      0,
    );
    const answer = fetch(server.url);
    await arrived.promise;
    const began = performance.now();
    const stopped = server[Symbol.asyncDispose]();
    go.resolve();
    assert.equal(await (await answer).text(), 'done');
    await stopped;
    assert.ok(performance.now() - began < 2_000);
  });
});
