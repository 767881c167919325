import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Limits } from './limits.ts';

export interface FrontDoor {
  /** `http://host:port`, with the port that was really taken. */
  url: string;
  /** Takes no more connections; those there are stay. */
  close(): void;
  /** Cuts what is left and resolves when all connections are gone. */
  cut(): Promise<void>;
}

export interface Rooms {
  http1(socket: Socket): void;
  http2(socket: Socket): void;
}

/** What every HTTP/2 connection begins with when both know beforehand that it is one (RFC 9113, section 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/**
 * One port for both protocols: the first bytes of a connection decide to which room its socket goes, bytes put back.
 * A connection that is silent, or stops in the middle of the preface, is closed after `undecidedMs`.
 */
export async function openFrontDoor(
  { host, port }: { host: string; port: number },
  rooms: Rooms,
  limits: Limits,
): Promise<FrontDoor> {
  const undecided = new Set<Socket>();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    if (undecided.size >= limits.undecidedConnections) socket.destroy();
    else decide(socket, undecided, rooms, limits.undecidedMs);
  });
  server.maxConnections = limits.connections;
  server.listen({ port, host, backlog: limits.backlog });
  await once(server, 'listening');
  return {
    url: urlOf(server, host),
    close() {
      server.close();
      for (const socket of undecided) socket.destroy();
    },
    async cut() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([...sockets].map((socket) => once(socket, 'close')));
    },
  };
}

function decide(socket: Socket, undecided: Set<Socket>, rooms: Rooms, limitMs: number): void {
  undecided.add(socket);
  const forget = () => {
    clearTimeout(timer);
    undecided.delete(socket);
    socket.off('readable', look).off('close', forget).off('end', hangUp);
  };
  const hangUp = () => socket.destroy();
  const timer = setTimeout(hangUp, limitMs);
  let seen = Buffer.alloc(0);
  const look = () => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, PREFACE.length);
    const couldBePreface = seen.subarray(0, compared).equals(PREFACE.subarray(0, compared));
    if (couldBePreface && compared < PREFACE.length) return;
    forget();
    socket.unshift(seen);
    if (couldBePreface) rooms.http2(socket);
    else rooms.http1(socket);
  };
  socket.on('readable', look).once('close', forget).once('end', hangUp);
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
