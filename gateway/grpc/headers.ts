import { type IncomingHttpHeaders, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import { isHopByHop, isSpoofable } from '../header-rules.ts';

/**
 * Other in each call: in the connection's table of headers (RFC 7541) they would push out those that come again, such as the token. Sent
 * as sensitive, they stay out of it.
 */
const CHANGING = ['x-request-id', 'grpc-timeout'];

/** The call's headers as the messenger may see them. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  authority: string,
  requestId: string,
): OutgoingHttpHeaders {
  const forwarded: OutgoingHttpHeaders = {};
  for (const name in headers) if (!isHopByHop(name) && !isSpoofable(name)) forwarded[name] = headers[name];
  forwarded[':authority'] = authority;
  forwarded[':scheme'] = 'http';
  // gRPC servers compare it by the letter.
  forwarded['content-type'] = headers['content-type']?.toLowerCase();
  forwarded.te = 'trailers';
  forwarded['x-request-id'] = requestId;
  return Object.assign(forwarded, { [sensitiveHeaders]: sensitive(headers) });
}

/** The messenger's headers as the client may see them. */
export function responseHeaders(headers: IncomingHttpHeaders, requestId: string): OutgoingHttpHeaders {
  const forwarded: OutgoingHttpHeaders = {};
  for (const name in headers) if (!isHopByHop(name)) forwarded[name] = headers[name];
  forwarded['x-request-id'] = requestId;
  return Object.assign(forwarded, { [sensitiveHeaders]: sensitive(headers) });
}

/** What was sensitive to whoever sent it stays so. */
function sensitive(headers: IncomingHttpHeaders): string[] {
  const theirs = (headers as Record<symbol, string[] | undefined>)[sensitiveHeaders] ?? [];
  return theirs.length === 0 ? CHANGING : [...theirs, ...CHANGING];
}

/** Every value of a header: Node keeps only the first of some names. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1] === name);
}
