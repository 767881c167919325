import { createServer, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { Authentication } from '#common/identity/authentication.ts';
import { InFlight } from '#common/in-flight.ts';
import type { Log } from '#common/log.ts';
import type { Client } from './front-door.ts';
import type { Bridge } from './http/bridge.ts';
import { Guest } from './http2-guest.ts';
import { type Limits, TOO_MANY_OF_ADDRESS } from './limits.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Nodes } from './nodes/nodes.ts';
import type { Origins } from './origin.ts';
import type { Starts } from './starts.ts';
import { Turns } from './turns.ts';

export interface Http2Room {
  enter(socket: Socket, client: Client): void;
  /** Tells every client to come again elsewhere; ends what is still open after the grace; resolves when all are gone. */
  stop(): Promise<void>;
}

export interface Http2RoomOptions {
  authentication: Authentication;
  nodes: Nodes;
  bridge: Bridge;
  origins: Origins;
  /** When requests and calls begin, by address. */
  starts: Starts;
  /** Requests over HTTP, by address. */
  requests: InFlight;
  /** Whether these headers carry the service credential. */
  isService(headers: IncomingHttpHeaders): boolean;
  metrics: GatewayMetrics;
  limits: Limits;
  log: Log;
}

/** Where HTTP/2 connections are served: gRPC goes to the messenger, everything else to the HTTP/1.1 room. */
export function createHttp2Room(options: Http2RoomOptions): Http2Room {
  const { limits, metrics, log } = options;
  const guests = new Set<Guest>();
  const shared = {
    ...options,
    calls: new InFlight(limits.callsPerAddress, TOO_MANY_OF_ADDRESS),
    tokenless: new InFlight(limits.tokenlessPerAddress, TOO_MANY_OF_ADDRESS),
    streams: new InFlight(limits.streamsPerUser, 'Too many streams of this user are open.'),
    pages: new Turns<string>(limits.pagesPerUser, limits.waitingPagesPerUser),
  };
  let isStopping = false;
  let entering: Client | undefined;
  const open = (streamResetBurst: number, streamResetRate: number) =>
    createServer({
      maxHeaderListPairs: limits.headerPairs,
      maxSessionMemory: limits.sessionMemory,
      streamResetBurst,
      streamResetRate,
      settings: {
        enablePush: false,
        maxConcurrentStreams: limits.streamsPerConnection,
        maxHeaderListSize: limits.headerBytes,
      },
    })
      .on('sessionError', (err) => log.debug({ err }, 'http/2 connection failed'))
      .on('session', (session) => {
        if (entering === undefined) return session.destroy();
        const guest = new Guest(session, entering, shared);
        guests.add(guest);
        metrics.connected();
        session.once('close', () => {
          guests.delete(guest);
          metrics.disconnected();
        });
        if (isStopping) guest.retire();
      });
  const server = open(limits.resetBurst, limits.resetsPerSecond);
  const proxyServer = open(limits.proxyResetBurst, limits.proxyResetsPerSecond);
  return {
    enter(socket, client) {
      entering = client;
      // Node makes the session while it emits.
      (client.isProxy ? proxyServer : server).emit('connection', socket);
      entering = undefined;
    },
    async stop() {
      isStopping = true;
      await Promise.all([...guests].map((guest) => guest.retire()));
    },
  };
}
