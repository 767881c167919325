import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface HttpServer extends AsyncDisposable {
  /** `http://host:port`, with the port that was really taken. */
  url: string;
}

/** How long requests in flight may still take when the server stops. */
const DRAIN_MS = 5_000;
const SWEEP_MS = 50;

/** Listens, with the time-outs that keep slow callers from holding sockets. Disposing drains, then cuts. */
export async function startHttpServer(app: RequestListener, host: string, port: number): Promise<HttpServer> {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000, maxHeaderSize: 32_768 },
    app,
  );
  const silent = silentSockets(server);
  server.listen(port, host);
  await once(server, 'listening');
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    [Symbol.asyncDispose]: () => drain(server, silent),
  };
}

/** Connections that have not asked anything yet, as callers open in advance: Node does not count them as idle. */
function silentSockets(server: Server): Set<Socket> {
  const silent = new Set<Socket>();
  server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', (request) => silent.delete(request.socket));
  return silent;
}

async function drain(server: Server, silent: Set<Socket>): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  for (const socket of silent) socket.destroy();
  // A connection kept alive is idle, and may go, once its last answer is out.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(cut);
  clearInterval(sweep);
}
