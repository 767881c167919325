import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { ServiceError } from '#common/errors.ts';
import type { Client } from '../front-door.ts';
import { isHopByHop, requestIdOf } from '../header-rules.ts';
import { leaveToClient } from '../leave-to-client.ts';
import type { Limits } from '../limits.ts';
import { bareProblem } from './bare-problem.ts';

/** Answers a request of an HTTP/2 connection that is not gRPC. */
export type Bridge = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  raw: readonly string[],
  client: Client,
) => void;

/** Carries the request to the HTTP/1.1 room, over a connection inside this process, so that no handler is written twice. */
export function bridgeTo(
  enter: (connection: Duplex) => void,
  { lingerMs }: Pick<Limits, 'lingerMs'>,
): Bridge {
  return (stream, headers, raw, client) => {
    const refuse = (error: ServiceError) => answerProblem(stream, error, requestIdOf(headers), lingerMs);
    if (stream.destroyed || stream.closed) return;
    if (headers[':method'] === 'CONNECT') return refuse(new ServiceError('METHOD_NOT_ALLOWED'));
    if (
      headers.host !== undefined &&
      headers[':authority'] !== undefined &&
      headers.host !== headers[':authority']
    )
      return refuse(new ServiceError('INVALID_REQUEST', { detail: TWO_HOSTS }));
    try {
      const outgoing = httpRequest({
        method: headers[':method'],
        path: headers[':path'],
        headers: http1Headers(headers, raw),
        createConnection: () => connectTo(enter, client.address),
      });
      outgoing.on('error', (cause) =>
        refuse(new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause })),
      );
      outgoing.on('response', (response) => answer(stream, response, lingerMs));
      stream.once('close', () => outgoing.destroy());
      // A body that is still to come does not hold back the headers, nor the answer to them.
      // (flushHeaders would write them as UTF-8, and they are bytes.)
      if (!stream.endAfterHeaders) outgoing.write('', 'latin1');
      stream.pipe(outgoing);
    } catch (cause) {
      // HTTP/1.1 cannot say such a path or header.
      refuse(new ServiceError('INVALID_REQUEST', { cause }));
    }
  };
}

/** RFC 9113, section 8.3.1. */
const TWO_HOSTS = 'The Host header and :authority differ.';

/** A connection whose two ends close together, and whose far end says whom it speaks for, as a socket does. */
function connectTo(enter: (connection: Duplex) => void, address: string): Duplex {
  const [near, far] = duplexPair();
  near.once('close', () => far.destroy());
  far.once('close', () => near.destroy()).on('error', () => {});
  enter(Object.assign(far, { remoteAddress: address }));
  return near;
}

function answer(stream: ServerHttp2Stream, response: IncomingMessage, lingerMs: number): void {
  if (stream.destroyed || stream.closed) return void response.destroy();
  const kept = Object.entries(response.headers).filter(([name]) => !isHopByHop(name));
  stream.respond({ ...Object.fromEntries(kept), ':status': response.statusCode ?? 500 });
  response.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR)).pipe(stream);
  stream.once('finish', () => leaveToClient(stream, lingerMs));
}

export function answerProblem(
  stream: ServerHttp2Stream,
  error: ServiceError,
  requestId: string,
  lingerMs: number,
): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  const { status, headers, body } = bareProblem(error, { requestId });
  stream.respond({ ':status': status, ...headers });
  stream.end(body);
  leaveToClient(stream, lingerMs);
}

/** Pairs as they came, so that a header given twice is still given twice. */
function http1Headers(headers: IncomingHttpHeaders, raw: readonly string[]): OutgoingHttpHeaders {
  const outgoing: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = [raw[i], raw[i + 1]];
    if (name.startsWith(':') || isHopByHop(name)) continue;
    const before = outgoing[name];
    outgoing[name] = before === undefined ? value : [before, value].flat();
  }
  // HTTP/2 may split this one.
  if (headers.cookie !== undefined) outgoing.cookie = headers.cookie;
  return { ...outgoing, host: headers[':authority'] ?? headers.host ?? 'localhost' };
}
