import {
  type ClientHttp2Stream,
  constants,
  type Http2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { status as GrpcCode } from '@grpc/grpc-js';
import { ServiceError } from '#common/errors.ts';
import { leaveToClient } from '../leave-to-client.ts';
import type { Limits } from '../limits.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import { JoinedWrites } from './joined-writes.ts';
import { isRepeatable } from './repeatable.ts';
import { Replay } from './replay.ts';
import { answerWith, codeOf, errorTrailers, isReconnect, ourTrailers } from './statuses.ts';
import type { Link, Upstream } from './upstream.ts';

export interface PassedCall {
  stream: ServerHttp2Stream;
  headers: IncomingHttpHeaders;
  path: string;
  /** One request, one answer: each has its time. */
  isUnary: boolean;
  requestId: string;
}

/**
 * One gRPC call on its way through: headers, messages, half-close, trailers, and resets in both directions; messages are never
 * decoded, and whoever does not read stops the other from sending. What was sent is kept, while it is little and unanswered, so that a
 * call which the messenger has certainly not taken, or recognises when it comes twice, is sent again.
 */
export class Pass {
  readonly #call: PassedCall;
  readonly #upstream: Upstream;
  readonly #replay: Replay;
  readonly #limits: Limits;
  #to: ClientHttp2Stream | undefined;
  #upload: JoinedWrites | undefined;
  #trailers: OutgoingHttpHeaders | undefined;
  #held: HeldAnswer | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Ends a unary call whose request, or the fetching of its answer, takes too long. */
  #deadline: NodeJS.Timeout | undefined;
  #stopWaiting = () => {};
  #isOver = false;
  #code: number = GrpcCode.CANCELLED;

  constructor(call: PassedCall, upstream: Upstream, limits: Limits) {
    this.#call = call;
    this.#upstream = upstream;
    this.#replay = new Replay(limits);
    this.#limits = limits;
    if (call.isUnary)
      this.#deadline = setTimeout(() => this.end(new ServiceError('REQUEST_TIMEOUT')), limits.bodyMs);
    const { stream } = call;
    stream.on('data', (chunk: Buffer) => this.#forward(chunk));
    stream.once('end', () => {
      clearTimeout(this.#deadline);
      if (isHalfClosed(stream)) this.#upload?.end();
    });
    stream.once('wantTrailers', () => this.#sendTrailers());
    stream.once('close', () => this.#clientGone());
    this.#try();
  }

  /** The code that the call ended with; until then, and where the client went away before its end, CANCELLED. */
  get code(): number {
    return this.#code;
  }

  /** How often it was sent to a messenger. */
  get tries(): number {
    return this.#replay.tries;
  }

  /** Ends the call with this error, wherever it stands. */
  end(error: ServiceError): void {
    if (this.#isOver) return;
    const { stream, requestId } = this.#call;
    this.#over();
    const trailers = errorTrailers(error);
    this.#code = codeOf(trailers);
    if (stream.headersSent) this.#endWith(trailers);
    else answerWith(stream, trailers, requestId, this.#limits.lingerMs);
    this.#to?.close(constants.NGHTTP2_CANCEL);
  }

  #try(failed?: Link): void {
    const { stream, headers, requestId } = this.#call;
    if (stream.destroyed || this.#isOver) return;
    const link = this.#upstream.link(failed);
    if (link === undefined) return void this.#awaitMessenger();
    this.#replay.tried();
    try {
      const to = link.session.request(requestHeaders(headers, link.node.address, requestId), {
        endStream: false,
      });
      this.#listen(to, link);
      this.#to = to;
      this.#upload = new JoinedWrites(to, () => to === this.#to && stream.resume());
      const { sent } = this.#replay;
      if (sent !== undefined && sent.length > 0) this.#upload.write(Buffer.from(sent));
      if (isHalfClosed(stream)) this.#upload.end();
      stream.resume();
    } catch (cause) {
      // The connection went away in this very moment; or Node will not send such headers.
      this.#failed(link, link.session.destroyed || link.session.closed, cause);
    }
  }

  #awaitMessenger(): void {
    this.#call.stream.pause();
    const end = () => this.end(new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000 }));
    this.#retry = setTimeout(end, Math.max(0, this.#replay.left()));
    this.#stopWaiting = this.#upstream.onceServing(() => {
      clearTimeout(this.#retry);
      // Not all who waited at once.
      this.#retry = setTimeout(() => this.#try(), Math.random() * SPREAD_MS);
    });
  }

  #listen(to: ClientHttp2Stream, link: Link): void {
    const { stream, requestId } = this.#call;
    to.on('error', () => {});
    to.once('response', (headers, flags) => {
      if (this.#isOver || stream.destroyed) return;
      if (!isGrpc(headers)) return this.end(new ServiceError('INTERNAL'));
      const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      if (endStream && isReconnect(headers) && this.#mayReplay(false)) {
        stopUpload(to.resume(), to.writableEnded);
        return this.#failed(link, false, new Error('the messenger is going away'));
      }
      const head = responseHeaders(headers, requestId);
      if (!endStream) {
        this.#held = { head, chunks: [], bytes: 0 };
        if (!this.#mayReplay(false)) this.#release();
        this.#forwardBack(to);
        return;
      }
      this.#replay.forget();
      this.#isOver = true;
      const trailers = ourTrailers(head);
      this.#code = codeOf(trailers);
      stream.respond(trailers, { endStream });
      leaveToClient(stream, this.#limits.lingerMs);
      stopUpload(to.resume(), to.writableEnded);
    });
    to.once('trailers', (trailers) => {
      this.#trailers = ourTrailers(responseHeaders(trailers, requestId));
    });
    // Trailers may be told of just after the end; and a server may end a call that the client has not.
    to.once('end', () => setImmediate(() => this.#upstreamClosed(to, link)));
    to.once('close', () => this.#upstreamClosed(to, link));
  }

  #forward(chunk: Buffer): void {
    this.#replay.keep(chunk);
    const isTaken = this.#to === undefined || this.#to.destroyed || this.#upload?.write(chunk);
    if (!isTaken) this.#call.stream.pause();
  }

  /** As `pipe` does, with a fifth of its listeners. The answer of a call that may be made again is held back until it is whole. */
  #forwardBack(to: ClientHttp2Stream): void {
    const { stream } = this.#call;
    to.on('data', (chunk: Buffer) => {
      if (this.#isOver || this.#hold(chunk)) return;
      if (!stream.write(chunk)) to.pause();
    });
    stream.on('drain', () => {
      to.resume();
      // Much was fetched.
      if (this.#call.isUnary && !stream.destroyed) this.#deadline?.refresh();
    });
  }

  #hold(chunk: Buffer): boolean {
    if (this.#held === undefined) return false;
    this.#held.chunks.push(chunk);
    this.#held.bytes += chunk.length;
    if (this.#held.bytes > this.#limits.replayBytes) this.#release();
    return true;
  }

  /** From here on the client has a part of the answer, and the call cannot be made again. */
  #release(): void {
    if (this.#held === undefined) return;
    const { head, chunks } = this.#held;
    const { stream } = this.#call;
    this.#held = undefined;
    this.#replay.forget();
    stream.respond(head, { waitForTrailers: true });
    if (this.#call.isUnary) this.#endUnfetched();
    for (const chunk of chunks) stream.write(chunk);
  }

  #endUnfetched(): void {
    clearTimeout(this.#deadline);
    const { stream } = this.#call;
    this.#deadline = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), this.#limits.answerMs);
  }

  #upstreamClosed(to: ClientHttp2Stream, link: Link): void {
    if (this.#isOver || to !== this.#to) return;
    if (this.#trailers !== undefined) {
      this.#isOver = true;
      if (!this.#call.stream.destroyed) this.#release();
      this.#endWith(this.#trailers);
      stopUpload(to, to.writableEnded);
      return;
    }
    const isRefused = to.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    const isAfterGoodbye = link.lastTaken !== undefined && to.id !== undefined && to.id > link.lastTaken;
    this.#failed(
      link,
      !link.wasConnected || isRefused || isAfterGoodbye,
      new Error(`reset by the messenger with code ${to.rstCode}`),
    );
  }

  /** `isUntaken`: the messenger has certainly not seen the call. */
  #failed(link: Link, isUntaken: boolean, cause: unknown): void {
    const { stream } = this.#call;
    this.#held = undefined;
    const wait = this.#mayReplay(isUntaken) ? this.#replay.pause(this.#upstream.hasOther(link)) : undefined;
    if (wait !== undefined) {
      this.#to = undefined;
      // What it sends meanwhile waits at the client.
      stream.pause();
      this.#retry = setTimeout(() => this.#try(link), wait);
      return;
    }
    // Whoever had an open stream goes on elsewhere; a call that failed is simply tried again.
    this.end(
      new ServiceError(stream.headersSent ? 'RECONNECT' : 'UNAVAILABLE', { retryAfterMs: 1_000, cause }),
    );
  }

  #mayReplay(isUntaken: boolean): boolean {
    const { stream, path } = this.#call;
    const { sent } = this.#replay;
    if (sent === undefined || stream.headersSent) return false;
    return isUntaken || (stream.readableEnded && isRepeatable(path, sent));
  }

  #endWith(trailers: OutgoingHttpHeaders): void {
    this.#trailers = trailers;
    this.#code = codeOf(trailers);
    if (!this.#call.stream.destroyed) this.#call.stream.end();
  }

  #sendTrailers(): void {
    const { stream } = this.#call;
    if (!stream.destroyed) stream.sendTrailers(this.#trailers ?? {});
    leaveToClient(stream, this.#limits.lingerMs);
  }

  #clientGone(): void {
    this.#over();
    clearTimeout(this.#deadline);
    const { rstCode } = this.#call.stream;
    if (this.#to !== undefined && !this.#to.closed) this.#to.close(rstCode || constants.NGHTTP2_CANCEL);
  }

  #over(): void {
    this.#isOver = true;
    this.#held = undefined;
    clearTimeout(this.#retry);
    this.#stopWaiting();
  }
}

interface HeldAnswer {
  head: OutgoingHttpHeaders;
  chunks: Buffer[];
  bytes: number;
}

/** Over how long those who waited for a messenger come back to it. */
const SPREAD_MS = 50;

/** Anything else is said by the HTTP layer of a library, which knows nothing of the call. */
function isGrpc(headers: IncomingHttpHeaders): boolean {
  return Number(headers[':status']) === 200 && /^application\/grpc/.test(headers['content-type'] ?? '');
}

/** Node ends the readable side of a stream that was reset, too: that is no half-close. */
function isHalfClosed(stream: Http2Stream): boolean {
  return stream.readableEnded && (!stream.closed || stream.rstCode === constants.NGHTTP2_NO_ERROR);
}

/** After the answer nothing more is sent to the messenger. */
function stopUpload(stream: ClientHttp2Stream, isUploaded: boolean): void {
  // Not at once: a reset overtakes trailers that were handed to Node in the same turn.
  if (!isUploaded) setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
}
