import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http2';

/** What belongs to one connection (RFC 9110, section 7.6.1; RFC 9113, section 8.2.2), not to the call. */
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

/** The client's request id where it is a harmless one, else ours. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
