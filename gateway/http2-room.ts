import {
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { status as GrpcCode } from '@grpc/grpc-js';
import { ServiceError, toServiceError } from '#common/errors.ts';
import type { Authentication } from '#common/identity/authentication.ts';
import type { Log } from '#common/log.ts';
import { valuesOf } from './grpc/headers.ts';
import { Pass, type PassedCall } from './grpc/pass.ts';
import { publicService } from './grpc/public-services.ts';
import { answerWith, codeOf, errorTrailers } from './grpc/statuses.ts';
import { Upstream } from './grpc/upstream.ts';
import { requestIdOf } from './header-rules.ts';
import type { Bridge } from './http/bridge.ts';
import type { Limits } from './limits.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Nodes } from './nodes/nodes.ts';

export interface Http2Room {
  enter(socket: Socket): void;
  /** Tells every client to come again elsewhere; ends what is still open after the grace; resolves when all are gone. */
  stop(): Promise<void>;
}

export interface Http2RoomOptions {
  authentication: Authentication;
  nodes: Nodes;
  bridge: Bridge;
  metrics: GatewayMetrics;
  limits: Limits;
  log: Log;
}

/** Where HTTP/2 connections are served: gRPC goes to the messenger, everything else to the HTTP/1.1 room. */
export function createHttp2Room(options: Http2RoomOptions): Http2Room {
  const { limits, metrics, log } = options;
  const guests = new Set<Guest>();
  let isStopping = false;
  const server = createServer({
    maxHeaderListPairs: limits.headerPairs,
    maxSessionMemory: limits.sessionMemory,
    settings: {
      enablePush: false,
      maxConcurrentStreams: limits.streamsPerConnection,
      maxHeaderListSize: limits.headerBytes,
    },
  });
  server.on('sessionError', (err) => log.debug({ err }, 'http/2 connection failed'));
  server.on('session', (session) => {
    const guest = new Guest(session, options);
    guests.add(guest);
    metrics.connected();
    session.once('close', () => {
      guests.delete(guest);
      metrics.disconnected();
    });
    if (isStopping) guest.retire();
  });
  return {
    enter: (socket) => server.emit('connection', socket),
    async stop() {
      isStopping = true;
      await Promise.all([...guests].map((guest) => guest.retire()));
    },
  };
}

/** One client connection. */
class Guest {
  readonly #session: ServerHttp2Session;
  readonly #options: Http2RoomOptions;
  readonly #upstream: Upstream;
  readonly #passes = new Set<Pass>();
  readonly #address: string;
  readonly #gone: Promise<void>;
  #usedAt = performance.now();

  constructor(session: ServerHttp2Session, options: Http2RoomOptions) {
    const { limits, nodes } = options;
    this.#session = session;
    this.#options = options;
    this.#upstream = new Upstream(nodes, limits);
    this.#address = session.socket.remoteAddress ?? '';
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    const pinging = setInterval(() => this.#check(), limits.pingEveryMs);
    // Spread, so that the clients of one moment do not all return in another.
    const aging = setTimeout(() => this.retire(), limits.ageMs * (0.9 + Math.random() / 10));
    session.on('error', () => {});
    session.on('stream', (stream, headers, _flags, raw) => this.#serve(stream, headers, raw));
    session.once('close', () => {
      clearInterval(pinging);
      clearTimeout(aging);
      this.#upstream.destroy();
      resolve();
    });
  }

  /** GOAWAY at once; calls that are still open after the grace are told to reconnect; then the connection is cut. */
  async retire(): Promise<void> {
    if (this.#session.destroyed) return;
    this.#session.close();
    const { graceMs, lingerMs } = this.#options.limits;
    const grace = setTimeout(() => {
      for (const pass of this.#passes) pass.end(new ServiceError('RECONNECT', { retryAfterMs: 1_000 }));
    }, graceMs);
    const cut = setTimeout(() => this.#session.destroy(), graceMs + lingerMs);
    await this.#gone;
    clearTimeout(grace);
    clearTimeout(cut);
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]): void {
    this.#usedAt = performance.now();
    stream.on('error', () => {});
    if (/^application\/grpc(?:$|[+;])/i.test(headers['content-type'] ?? '')) {
      void this.#passGrpc(stream, headers, raw);
    } else this.#options.bridge(stream, headers, raw, this.#address);
  }

  async #passGrpc(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    raw: readonly string[],
  ): Promise<void> {
    const call = { stream, headers, path: headers[':path'] ?? '', requestId: requestIdOf(headers) };
    const { metrics, authentication, log } = this.#options;
    metrics.callBegan();
    let pass: Pass | undefined;
    let code: number = GrpcCode.CANCELLED;
    stream.once('close', () => metrics.callEnded(call.path, pass?.code ?? code, pass?.tries ?? 0));
    const service = headers[':method'] === 'POST' ? publicService(call.path) : undefined;
    try {
      if (service === undefined) throw new ServiceError('UNIMPLEMENTED');
      // Until then nothing of its messages is read: flow control holds them at the client.
      if (!service.isTokenless) await authentication.identify(valuesOf(raw, 'authorization'));
      if (!stream.destroyed) pass = this.#pass(call);
    } catch (thrown) {
      const error = toServiceError(thrown);
      if (error.reason === 'INTERNAL') log.error({ err: error }, 'call failed');
      const trailers = errorTrailers(error);
      code = codeOf(trailers);
      answerWith(stream, trailers, call.requestId);
    }
  }

  #pass(call: PassedCall): Pass {
    const pass = new Pass(call, this.#upstream, this.#options.limits);
    const began = performance.now();
    this.#passes.add(pass);
    call.stream.once('close', () => {
      this.#passes.delete(pass);
      this.#usedAt = performance.now();
      const { requestId, path } = call;
      this.#options.log.debug({ requestId, path, ms: Math.round(this.#usedAt - began) }, 'call');
    });
    return pass;
  }

  #check(): void {
    const { idleMs, pingTimeoutMs } = this.#options.limits;
    if (this.#session.destroyed || this.#session.closed) return;
    const isIdle = this.#passes.size === 0 && performance.now() - this.#usedAt > idleMs;
    if (isIdle) return void this.retire();
    const silent = setTimeout(() => this.#session.destroy(), pingTimeoutMs);
    this.#session.once('close', () => clearTimeout(silent));
    this.#session.ping(() => clearTimeout(silent));
  }
}
