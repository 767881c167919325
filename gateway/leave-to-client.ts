import { constants, type Http2Stream } from 'node:http2';

/**
 * After a complete answer, discards the rest of the request and lets the client end the stream; resets it
 * after `lingerMs` (RFC 9113, section 8.1). An earlier reset reaches the client as a cancellation through
 * HAProxy.
 */
export function leaveToClient(stream: Http2Stream, lingerMs: number): void {
  if (stream.destroyed || stream.closed) return;
  const late = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), lingerMs);
  stream.once('close', () => clearTimeout(late));
  stream.resume();
}
