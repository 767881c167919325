import { constants, type Http2Stream } from 'node:http2';

/**
 * After the whole answer the rest of the request is thrown away, and the stream is left to the client to end; one that does not is asked to stop
 * after `lingerMs` (RFC 9113, section 8.1). Not sooner: HAProxy makes a cancellation of it, and the client loses its answer.
 */
export function leaveToClient(stream: Http2Stream, lingerMs: number): void {
  if (stream.destroyed || stream.closed) return;
  const late = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), lingerMs);
  stream.once('close', () => clearTimeout(late));
  stream.resume();
}
