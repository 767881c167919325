import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Limits } from './limits.ts';

export interface Http1Room {
  enter(socket: Socket): void;
  /** Where it also listens: a socket of the file system that only this user reaches. */
  socketPath: string;
  /** Ends idle connections, and the others with their next answer; cuts after the grace. */
  stop(): Promise<void>;
}

/**
 * Where HTTP/1.1 connections are served. Node checks header and request time-outs only in a server that listens, and its checks
 * then hold for sockets handed to it as well; so it listens, privately, and non-gRPC requests of HTTP/2 come in there.
 */
export async function openHttp1Room(app: RequestListener, limits: Limits): Promise<Http1Room> {
  const server = createServer(
    {
      headersTimeout: limits.undecidedMs,
      requestTimeout: 30_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: limits.headerBytes,
      // Without strictness two servers may disagree where a request ends.
      insecureHTTPParser: false,
    },
    app,
  );
  server.maxHeadersCount = limits.headerPairs;
  const folder = await mkdtemp(join(tmpdir(), 'chatterbox-'));
  const socketPath = join(folder, 'http1.sock');
  server.listen(socketPath);
  await once(server, 'listening');
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  let isStopping = false;
  server.prependListener('request', (_request, response) => {
    if (isStopping) response.setHeader('connection', 'close');
  });
  return {
    enter: (socket) => server.emit('connection', socket),
    socketPath,
    async stop() {
      isStopping = true;
      server.close();
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), limits.graceMs + limits.lingerMs);
      await Promise.all([...open].map((socket) => socket.destroyed || once(socket, 'close')));
      clearTimeout(cut);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
