import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { isHopByHop, isSpoofable } from '../header-rules.ts';

/** The call's headers as the messenger may see them. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  authority: string,
  requestId: string,
): OutgoingHttpHeaders {
  const forwarded: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers))
    if (!isHopByHop(name) && !isSpoofable(name)) forwarded[name] = value;
  return {
    ...forwarded,
    ':authority': authority,
    ':scheme': 'http',
    // gRPC servers compare it by the letter.
    'content-type': headers['content-type']?.toLowerCase(),
    te: 'trailers',
    'x-request-id': requestId,
  };
}

/** The messenger's headers as the client may see them. */
export function responseHeaders(headers: IncomingHttpHeaders, requestId: string): OutgoingHttpHeaders {
  const forwarded: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) if (!isHopByHop(name)) forwarded[name] = value;
  return { ...forwarded, 'x-request-id': requestId };
}

/** Every value of a header: Node keeps only the first of some names. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1] === name);
}
