import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import proxyAddr from 'proxy-addr';
import { addressKey, canonicalAddress } from '#common/client-address.ts';
import { Admission, type Member } from './connections/admission.ts';
import { readProxyHeader } from './connections/proxy-protocol.ts';
import type { Limits } from './limits.ts';

export interface FrontDoor {
  /** `http://host:port`, with the port that was really taken. */
  url: string;
  /** How many connections are open. */
  open(): number;
  /** Takes no more connections; those there are stay. */
  close(): void;
  /** Cuts what is left and resolves when all connections are gone. */
  cut(): Promise<void>;
}

export interface FrontDoorOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Addresses and networks of proxies, whose connections are those of many clients. */
  trustedProxies: readonly string[];
  /** Addresses and networks of proxies that begin each connection with a PROXY header. */
  proxyProtocol: readonly string[];
}

export interface Rooms {
  http1(socket: Socket, client: Client): void;
  http2(socket: Socket, client: Client): void;
}

/** A connection, and what its first calls may still change. */
export interface Client {
  /** The client's address, in its one spelling; a proxy's own where it speaks for itself. */
  address: string;
  /** It is a proxy's, and carries the requests of many clients. */
  isProxy: boolean;
  /** Ends the connection now, whatever is under way. */
  cut(): void;
  /** Its first call has shown that it is a service's: it counts for no address any more. */
  isService(): void;
}

/** What every HTTP/2 connection begins with when both know beforehand that it is one (RFC 9113, section 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/**
 * One port for both protocols: the first bytes of a connection decide to which room its socket goes, bytes put back.
 * A connection that is silent, or stops in the middle of the preface, is closed after `undecidedMs`.
 */
export async function openFrontDoor(
  options: FrontDoorOptions,
  rooms: Rooms,
  limits: Limits,
): Promise<FrontDoor> {
  const admission = new Admission(limits);
  const isTrusted = proxyAddr.compile([...options.trustedProxies]);
  const hasHeader = proxyAddr.compile([...options.proxyProtocol]);
  const undecided = new Set<Socket>();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    const peer = canonicalAddress(socket.remoteAddress ?? '') ?? '';
    const isProxy = isTrusted(peer, 0) || hasHeader(peer, 0);
    const member: Member = { key: isProxy ? undefined : addressKey(peer), cut: () => socket.destroy() };
    if (!admission.admit(member)) return void socket.destroy();
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      admission.leave(member);
    });
    const client = {
      address: peer,
      isProxy: isTrusted(peer, 0),
      cut: member.cut,
      isService: () => admission.exempt(member),
    };
    const named = (address: string) => {
      client.address = address;
      client.isProxy = isTrusted(address, 0);
      return isTrusted(address, 0) || admission.name(member, addressKey(address));
    };
    undecided.add(socket);
    decide(socket, limits.undecidedMs, hasHeader(peer, 0) ? named : undefined, (protocol) => {
      undecided.delete(socket);
      if (protocol === undefined) return;
      admission.decided(member);
      rooms[protocol](socket, client);
    });
  });
  server.listen({ port: options.port, host: options.host, backlog: limits.backlog });
  await once(server, 'listening');
  return {
    url: urlOf(server, options.host),
    open: () => admission.open,
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

/**
 * Calls `tell` once with what the connection speaks, or with undefined when it has ended before. With `named`
 * a PROXY header comes first, whose address that is told; it says whether the connection may stay.
 */
function decide(
  socket: Socket,
  limitMs: number,
  named: ((address: string) => boolean) | undefined,
  tell: (protocol: keyof Rooms | undefined) => void,
): void {
  const finish = (protocol?: keyof Rooms) => {
    clearTimeout(timer);
    socket.off('readable', look).off('close', gone).off('end', hangUp);
    tell(protocol);
  };
  const gone = () => finish();
  const hangUp = () => socket.destroy();
  const timer = setTimeout(hangUp, limitMs);
  let awaitsHeader = named !== undefined;
  let seen = Buffer.alloc(0);
  const look = () => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    if (awaitsHeader) {
      const header = readProxyHeader(seen);
      if (header === undefined) return;
      if (header === 'wrong') return hangUp();
      if (header.address !== undefined && !named?.(header.address)) return hangUp();
      awaitsHeader = false;
      seen = seen.subarray(header.length);
      if (seen.length === 0) return;
    }
    const compared = Math.min(seen.length, PREFACE.length);
    const couldBePreface = seen.subarray(0, compared).equals(PREFACE.subarray(0, compared));
    if (couldBePreface && compared < PREFACE.length) return;
    socket.unshift(seen);
    finish(couldBePreface ? 'http2' : 'http1');
  };
  socket.on('readable', look).once('close', gone).once('end', hangUp);
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
