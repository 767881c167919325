import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { status as GrpcCode } from '@grpc/grpc-js';
import { addressKey } from '#common/client-address.ts';
import { ServiceError, toServiceError } from '#common/errors.ts';
import type { InFlight } from '#common/in-flight.ts';
import type { Client } from './front-door.ts';
import { callHeaders, valuesOf } from './grpc/headers.ts';
import { Pass, type PassedCall } from './grpc/pass.ts';
import { isPage, isUnary, publicService } from './grpc/public-services.ts';
import { answerWith, codeOf, errorTrailers } from './grpc/statuses.ts';
import { Upstream } from './grpc/upstream.ts';
import { requestIdOf } from './header-rules.ts';
import { answerProblem } from './http/bridge.ts';
import type { Http2RoomOptions } from './http2-room.ts';
import { SmallChunks } from './small-chunks.ts';
import { Turns } from './turns.ts';

/** What all connections share. */
export interface Http2Shared extends Http2RoomOptions {
  /** gRPC calls by address. */
  calls: InFlight;
  /** Of these, those that need no token. */
  tokenless: InFlight;
  /** Calls that are streams, by user. */
  streams: InFlight;
  /** Pages of history or of the inbox, by user. */
  pages: Turns<string>;
}

/** One client connection over HTTP/2. */
export class Guest {
  readonly #session: ServerHttp2Session;
  readonly #client: Client;
  readonly #shared: Http2Shared;
  readonly #upstream: Upstream;
  readonly #smallChunks = new SmallChunks();
  /** Requests that are carried over HTTP/1.1, by address: a proxy's connection has those of many. */
  readonly #bridged: Turns<string>;
  readonly #passes = new Set<Pass>();
  readonly #gone: Promise<void>;
  #isService: boolean | undefined;
  /** Ends a connection that does not answer a ping. */
  #silent: NodeJS.Timeout | undefined;
  #counted = { address: '', key: '' };
  #usedAt = performance.now();

  constructor(session: ServerHttp2Session, client: Client, shared: Http2Shared) {
    const { limits, nodes } = shared;
    this.#session = session;
    this.#client = client;
    this.#shared = shared;
    this.#upstream = new Upstream(nodes, limits);
    this.#bridged = new Turns(limits.bridgedPerConnection, limits.waitingBridgedPerConnection);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    // A client begins with its SETTINGS (RFC 9113, section 3.4).
    const late = setTimeout(() => session.destroy(), limits.undecidedMs);
    const pinging = setInterval(() => this.#check(), limits.pingEveryMs);
    // Spread, so that the clients of one moment do not all return in another.
    const aging = setTimeout(() => this.retire(), limits.ageMs * (0.9 + Math.random() / 10));
    session.once('remoteSettings', () => clearTimeout(late));
    session.on('error', () => {});
    session.on('stream', (stream, headers, _flags, raw) => this.#take(stream, headers, raw));
    session.once('close', () => {
      clearTimeout(late);
      clearTimeout(this.#silent);
      clearInterval(pinging);
      clearTimeout(aging);
      this.#upstream.destroy();
      resolve();
    });
  }

  /**
   * GOAWAY at once; calls that are still open after the grace are told to reconnect; then the connection is
   * cut.
   */
  async retire(): Promise<void> {
    if (this.#session.destroyed) return;
    this.#session.close();
    const { graceMs, lingerMs } = this.#shared.limits;
    const grace = setTimeout(() => {
      for (const pass of this.#passes) pass.end(new ServiceError('RECONNECT', { retryAfterMs: 1_000 }));
    }, graceMs);
    // A session that was closed and is destroyed waits for its client to close the connection.
    const cut = setTimeout(() => this.#client.cut(), graceMs + lingerMs);
    await this.#gone;
    clearTimeout(grace);
    clearTimeout(cut);
  }

  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]): void {
    this.#usedAt = performance.now();
    stream.on('error', () => {});
    this.#watchChunks(stream);
    const isGone = () => stream.destroyed || stream.closed;
    const { starts } = this.#shared;
    const key = this.#knowsService(headers) ? undefined : this.#keyOf(headers);
    const begin = () => this.#begin({ stream, headers, raw, key });
    if (key === undefined) starts.addExempt({ isGone, begin });
    else if (starts.hasRoom(key)) starts.add(key, { isGone, begin });
    else stream.close(constants.NGHTTP2_REFUSED_STREAM);
  }

  /** Whether this connection is a service's, as its first call shows. */
  #knowsService(headers: IncomingHttpHeaders): boolean {
    if (this.#isService === undefined) {
      this.#isService = this.#shared.isService(headers);
      if (this.#isService) this.#client.isService();
    }
    return this.#isService;
  }

  #begin(opened: OpenedStream): void {
    const { stream, headers, key } = opened;
    const { calls, requests, metrics, limits } = this.#shared;
    metrics.streamBegan();
    const isGrpc = /^application\/grpc(?:$|[+;])/i.test(headers['content-type'] ?? '');
    try {
      if (key !== undefined) stream.once('close', (isGrpc ? calls : requests).enter(key));
      if (isGrpc) void this.#passGrpc(opened);
      else this.#bridge(opened);
    } catch (thrown) {
      const error = toServiceError(thrown);
      const requestId = requestIdOf(headers);
      if (isGrpc) answerWith(stream, errorTrailers(error), requestId, limits.lingerMs);
      else answerProblem(stream, error, requestId, limits.lingerMs);
    }
  }

  /** What the limits count a call by: nearly always the same on a connection. */
  #keyOf(headers: IncomingHttpHeaders): string {
    const { address } = this.#shared.origins.of(headers, this.#client.address);
    if (address !== this.#counted.address) this.#counted = { address, key: addressKey(address) };
    return this.#counted.key;
  }

  /** @throws ServiceError RATE_LIMITED when too many wait. */
  #bridge({ stream, headers, raw, key }: OpenedStream): void {
    const go = () => this.#shared.bridge(stream, headers, raw, this.#client);
    if (key === undefined) go();
    else stream.once('close', this.#bridged.take(key, go));
  }

  async #passGrpc({ stream, headers, raw, key }: OpenedStream): Promise<void> {
    const path = headers[':path'] ?? '';
    const requestId = requestIdOf(headers);
    const { metrics, authentication, streams, limits, log } = this.#shared;
    metrics.callBegan();
    let pass: Pass | undefined;
    let code: number = GrpcCode.CANCELLED;
    stream.once('close', () => metrics.callEnded(path, pass?.code ?? code, pass?.tries ?? 0));
    const service = headers[':method'] === 'POST' ? publicService(path) : undefined;
    const authorization = valuesOf(raw, 'authorization');
    const refuse = (thrown: unknown) => {
      const error = toServiceError(thrown);
      if (error.reason === 'INTERNAL') log.error({ err: error }, 'call failed');
      const trailers = errorTrailers(error);
      code = codeOf(trailers);
      answerWith(stream, trailers, requestId, limits.lingerMs);
    };
    try {
      if (service === undefined) throw new ServiceError('UNIMPLEMENTED');
      // Until then nothing of its messages is read: flow control holds them at the client.
      const caller = service.isTokenless ? undefined : await authentication.identify(authorization);
      if (stream.destroyed) return;
      // What is not passed on is not kept for as long as the call takes.
      const kept = callHeaders(headers, limits.callHeaderBytes);
      const call = { stream, headers: kept, path, isUnary: isUnary(path), requestId };
      const go = () => {
        if (!stream.destroyed) pass = this.#pass(call);
      };
      if (caller === undefined) {
        if (key !== undefined) this.#boundTokenless(stream, path, key);
        return go();
      }
      const { username } = caller;
      if (!call.isUnary && key !== undefined) stream.once('close', streams.enter(username));
      if (isPage(path)) this.#inTurn(stream, username, go, refuse);
      else go();
    } catch (thrown) {
      refuse(thrown);
    }
  }

  /** @throws ServiceError RATE_LIMITED when the address has too many of them. */
  #boundTokenless(stream: ServerHttp2Stream, path: string, key: string): void {
    const { tokenless, limits } = this.#shared;
    stream.once('close', tokenless.enter(key));
    const end = () => stream.close(constants.NGHTTP2_CANCEL);
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.tokenlessBytes && !stream.closed) end();
    });
    // Its other listener has it flow.
    stream.pause();
    if (path.startsWith('/grpc.health.')) return;
    const late = setTimeout(end, limits.reflectionMs);
    stream.once('close', () => clearTimeout(late));
  }

  /**
   * Waits until fewer than `pagesPerUser` pages of this user are in progress, at most `answerMs`.
   * @throws ServiceError RATE_LIMITED when too many wait.
   */
  #inTurn(
    stream: ServerHttp2Stream,
    username: string,
    go: () => void,
    refuse: (error: ServiceError) => void,
  ): void {
    const { pages, limits } = this.#shared;
    let late: NodeJS.Timeout | undefined;
    let hasBegun = false;
    const leave = pages.take(username, () => {
      hasBegun = true;
      clearTimeout(late);
      go();
    });
    stream.once('close', () => {
      clearTimeout(late);
      leave();
    });
    if (hasBegun) return;
    late = setTimeout(() => {
      leave();
      refuse(new ServiceError('RATE_LIMITED', { retryAfterMs: 1_000 }));
    }, limits.answerMs);
  }

  #pass(call: PassedCall): Pass {
    const pass = new Pass(call, this.#upstream, this.#shared.limits);
    const began = performance.now();
    this.#passes.add(pass);
    call.stream.once('close', () => {
      this.#passes.delete(pass);
      this.#usedAt = performance.now();
      const { requestId, path } = call;
      this.#shared.log.debug({ requestId, path, ms: Math.round(this.#usedAt - began) }, 'call');
    });
    return pass;
  }

  /**
   * Sees what comes before it is read, and where it is not: small chunks cost most while they wait. They end
   * the connection, or, where it is that of many clients, the stream.
   */
  #watchChunks(stream: ServerHttp2Stream): void {
    const smallChunks = this.#client.isProxy ? new SmallChunks() : this.#smallChunks;
    const push = stream.push.bind(stream);
    stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk !== null && !this.#isService && smallChunks.isTooMany(chunk.length)) this.#calm(stream);
      return push(chunk, encoding);
    };
  }

  #calm(stream: ServerHttp2Stream): void {
    const { isProxy } = this.#client;
    if (isProxy && !stream.closed) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    if (!isProxy && !this.#session.destroyed)
      this.#session.destroy(new Error('too many small frames'), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #check(): void {
    const { idleMs, pingTimeoutMs } = this.#shared.limits;
    if (this.#session.destroyed || this.#session.closed) return;
    const isIdle = this.#passes.size === 0 && performance.now() - this.#usedAt > idleMs;
    if (isIdle) return void this.retire();
    this.#silent = setTimeout(() => this.#session.destroy(), pingTimeoutMs);
    this.#session.ping(() => clearTimeout(this.#silent));
  }
}

/** A stream that a client has opened. */
interface OpenedStream {
  stream: ServerHttp2Stream;
  headers: IncomingHttpHeaders;
  raw: readonly string[];
  /** What the limits count it by; undefined for a service's. */
  key: string | undefined;
}
