import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';

/** What belongs to one connection (RFC 9113, section 8.2.2), not to the call. */
const HOP_BY_HOP = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** What only we may say: who the caller is and where it came from. */
const SPOOFABLE = /^(?:chatterbox-service|x-user-.*|x-forwarded-.*|x-real-ip|forwarded|x-client-ip|via)$/;

export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

export function isSpoofable(name: string): boolean {
  return SPOOFABLE.test(name);
}

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

/** The client's request id where it is a harmless one, else ours. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

/** Every value of a header: Node keeps only the first of some names. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1] === name);
}
