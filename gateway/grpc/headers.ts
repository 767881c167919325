import { type IncomingHttpHeaders, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import { invalidField, ServiceError } from '#common/errors.ts';
import { isHopByHop } from '../header-rules.ts';

/**
 * Other in each call: in the connection's table of headers (RFC 7541) they would push out those that come again, such as the token. Sent
 * as sensitive, they stay out of it.
 */
const CHANGING = ['x-request-id', 'grpc-timeout'];

/**
 * What of a call's headers means something to a messenger, or to what traces calls; all else is left out, and
 * not kept.
 */
const PASSED =
  /^(?::.*|grpc-.*|chatterbox-(?!service$).*|content-type|authorization|user-agent|trace(?:parent|state)|b3|x-b3-.*)$/;

/**
 * The headers of a call that are kept, and passed on.
 * @throws ServiceError INVALID_REQUEST where they have more than `maxBytes`, or a value is not ASCII.
 */
export function callHeaders(headers: IncomingHttpHeaders, maxBytes: number): IncomingHttpHeaders {
  const kept: IncomingHttpHeaders = {};
  let bytes = 0;
  for (const name in headers) {
    if (!PASSED.test(name)) continue;
    const value = String(headers[name]);
    if (!/^[\x20-\x7e]*$/.test(value)) throw invalidField(name, 'must be ASCII');
    bytes += name.length + value.length;
    kept[name] = headers[name];
  }
  if (bytes > maxBytes)
    throw new ServiceError('PAYLOAD_TOO_LARGE', { detail: `The headers have more than ${maxBytes} bytes.` });
  return Object.assign(kept, { [sensitiveHeaders]: sensitiveIn(headers) });
}

/** The call's headers as a messenger is sent them. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  authority: string,
  requestId: string,
): OutgoingHttpHeaders {
  return {
    ...headers,
    ':authority': authority,
    ':scheme': 'http',
    // gRPC servers compare it by the letter.
    'content-type': headers['content-type']?.toLowerCase(),
    te: 'trailers',
    'x-request-id': requestId,
    [sensitiveHeaders]: sensitive(headers),
  } as OutgoingHttpHeaders;
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
  const theirs = sensitiveIn(headers);
  return theirs.length === 0 ? CHANGING : [...theirs, ...CHANGING];
}

function sensitiveIn(headers: IncomingHttpHeaders): string[] {
  return (headers as Record<symbol, string[] | undefined>)[sensitiveHeaders] ?? [];
}

/** Every value of a header: Node keeps only the first of some names. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1] === name);
}
