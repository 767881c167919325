import {
  type ClientHttp2Stream,
  constants,
  type Http2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { ServiceError } from '#common/errors.ts';
import type { Limits } from '../limits.ts';
import { hasClientId } from './client-id.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import { answerWith, errorTrailers, ourTrailers } from './statuses.ts';
import type { Link, Upstream } from './upstream.ts';

export interface PassedCall {
  stream: ServerHttp2Stream;
  headers: IncomingHttpHeaders;
  path: string;
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
  readonly #limits: Limits;
  readonly #began = performance.now();
  #sent: Buffer[] | undefined = [];
  #sentBytes = 0;
  #tries = 0;
  #failedAt: number | undefined;
  #to: ClientHttp2Stream | undefined;
  #trailers: OutgoingHttpHeaders | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(call: PassedCall, upstream: Upstream, limits: Limits) {
    this.#call = call;
    this.#upstream = upstream;
    this.#limits = limits;
    const { stream } = call;
    stream.on('data', (chunk: Buffer) => this.#forward(chunk));
    stream.once('end', () => {
      if (isHalfClosed(stream)) this.#to?.end();
    });
    stream.once('wantTrailers', () => this.#sendTrailers());
    stream.once('close', () => this.#clientGone());
    this.#try();
  }

  /** Ends the call with this error, wherever it stands. */
  end(error: ServiceError): void {
    if (this.#isOver) return;
    const { stream, requestId } = this.#call;
    this.#isOver = true;
    clearTimeout(this.#retry);
    if (stream.headersSent) this.#endWith(errorTrailers(error));
    else answerWith(stream, errorTrailers(error), requestId);
    this.#to?.close(constants.NGHTTP2_CANCEL);
  }

  #try(): void {
    const { stream, headers, requestId } = this.#call;
    if (stream.destroyed || this.#isOver) return;
    this.#tries++;
    const link = this.#upstream.link();
    try {
      const to = link.session.request(requestHeaders(headers, link.address, requestId), { endStream: false });
      this.#listen(to, link);
      this.#to = to;
      for (const chunk of this.#sent ?? []) to.write(chunk);
      if (isHalfClosed(stream)) to.end();
    } catch (cause) {
      // The connection went away in this very moment; or Node will not send such headers.
      this.#failed(link.session.destroyed || link.session.closed, cause);
    }
  }

  #listen(to: ClientHttp2Stream, link: Link): void {
    const { stream, requestId } = this.#call;
    to.on('error', () => {});
    to.once('response', (headers, flags) => {
      this.#sent = undefined;
      if (this.#isOver || stream.destroyed) return;
      if (!isGrpc(headers)) return this.end(new ServiceError('INTERNAL'));
      const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      if (endStream) this.#isOver = true;
      const head = responseHeaders(headers, requestId);
      stream.respond(
        endStream ? ourTrailers(head) : head,
        endStream ? { endStream } : { waitForTrailers: true },
      );
      if (!endStream) to.pipe(stream, { end: false });
      else {
        stopUpload(stream, stream.readableEnded);
        stopUpload(to.resume(), to.writableEnded);
      }
    });
    to.once('trailers', (trailers) => {
      this.#trailers = ourTrailers(responseHeaders(trailers, requestId));
    });
    to.on('drain', () => stream.resume());
    // Trailers may be told of just after the end; and a server may end a call that the client has not.
    to.once('end', () => setImmediate(() => this.#upstreamClosed(to, link)));
    to.once('close', () => this.#upstreamClosed(to, link));
  }

  #forward(chunk: Buffer): void {
    if (this.#sent !== undefined) this.#keep(this.#sent, chunk);
    const isTaken = this.#to === undefined || this.#to.destroyed || this.#to.write(chunk);
    if (!isTaken) this.#call.stream.pause();
  }

  #keep(sent: Buffer[], chunk: Buffer): void {
    sent.push(chunk);
    this.#sentBytes += chunk.length;
    const age = performance.now() - this.#began;
    if (this.#sentBytes > this.#limits.replayBytes || age > this.#limits.replayWithinMs)
      this.#sent = undefined;
  }

  #upstreamClosed(to: ClientHttp2Stream, link: Link): void {
    if (this.#isOver || to !== this.#to) return;
    if (this.#trailers !== undefined) {
      this.#isOver = true;
      this.#endWith(this.#trailers);
      stopUpload(to, to.writableEnded);
      return;
    }
    const isRefused = to.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    const isAfterGoodbye = link.lastTaken !== undefined && to.id !== undefined && to.id > link.lastTaken;
    this.#failed(
      !link.wasConnected || isRefused || isAfterGoodbye,
      new Error(`reset by the messenger with code ${to.rstCode}`),
    );
  }

  /** `isUntaken`: the messenger has certainly not seen the call. */
  #failed(isUntaken: boolean, cause: unknown): void {
    const { tries, replayWithinMs } = this.#limits;
    this.#failedAt ??= performance.now();
    if (this.#tries < tries && this.#mayReplay(isUntaken)) {
      // Ever longer waits, the last of which ends with the window; a little later, so that not all come at once.
      const due = replayWithinMs * (this.#tries / (tries - 1)) ** 2 * (1 + Math.random() / 20);
      const wait = Math.max(0, this.#failedAt + due - performance.now());
      this.#to = undefined;
      this.#call.stream.resume();
      this.#retry = setTimeout(() => this.#try(), wait);
      return;
    }
    this.end(new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause }));
  }

  #mayReplay(isUntaken: boolean): boolean {
    const { stream, path } = this.#call;
    if (this.#sent === undefined || stream.headersSent) return false;
    return isUntaken || (stream.readableEnded && hasClientId(path, Buffer.concat(this.#sent)));
  }

  #endWith(trailers: OutgoingHttpHeaders): void {
    this.#trailers = trailers;
    if (!this.#call.stream.destroyed) this.#call.stream.end();
  }

  #sendTrailers(): void {
    const { stream } = this.#call;
    if (!stream.destroyed) stream.sendTrailers(this.#trailers ?? {});
    stopUpload(stream, stream.readableEnded);
  }

  #clientGone(): void {
    this.#isOver = true;
    clearTimeout(this.#retry);
    const { rstCode } = this.#call.stream;
    if (this.#to !== undefined && !this.#to.closed) this.#to.close(rstCode || constants.NGHTTP2_CANCEL);
  }
}

/** Anything else is said by the HTTP layer of a library, which knows nothing of the call. */
function isGrpc(headers: IncomingHttpHeaders): boolean {
  return Number(headers[':status']) === 200 && /^application\/grpc/.test(headers['content-type'] ?? '');
}

/** Node ends the readable side of a stream that was reset, too: that is no half-close. */
function isHalfClosed(stream: Http2Stream): boolean {
  return stream.readableEnded && (!stream.closed || stream.rstCode === constants.NGHTTP2_NO_ERROR);
}

/** After the answer nobody reads on: a client that has not half-closed is asked to stop (RFC 9113, section 8.1). */
function stopUpload(stream: Http2Stream, isUploaded: boolean): void {
  // Not at once: a reset overtakes trailers that were handed to Node in the same turn.
  if (!isUploaded) setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
}
