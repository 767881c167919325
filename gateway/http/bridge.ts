import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { isHopByHop } from '../grpc/headers.ts';

/** Answers a request of an HTTP/2 connection that is not gRPC. `address` is the client's. */
export type Bridge = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  raw: readonly string[],
  address: string,
) => void;

/** The header in which the bridge says whom it speaks for; believed on the private socket only. */
export const BRIDGED_ADDRESS = 'chatterbox-bridged-address';

/** Carries the request to the HTTP/1.1 room over its private socket, so that no handler is written twice. */
export function bridgeTo(socketPath: string): Bridge {
  return (stream, headers, raw, address) => {
    const outgoing = httpRequest({
      socketPath,
      method: headers[':method'],
      path: headers[':path'],
      headers: http1Headers(headers, raw, address),
      agent: false,
    });
    const fail = () => {
      if (stream.destroyed) return;
      if (stream.headersSent) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else stream.respond({ ':status': 502 }, { endStream: true });
    };
    outgoing.on('error', fail);
    outgoing.on('response', (response) => {
      if (stream.destroyed) return void response.destroy();
      const kept = Object.entries(response.headers).filter(([name]) => !isHopByHop(name));
      stream.respond({ ...Object.fromEntries(kept), ':status': response.statusCode ?? 502 });
      response.on('error', fail).pipe(stream);
    });
    stream.once('close', () => outgoing.destroy());
    stream.pipe(outgoing);
  };
}

/** Pairs as they came, so that a header given twice is still given twice. */
function http1Headers(
  headers: IncomingHttpHeaders,
  raw: readonly string[],
  address: string,
): OutgoingHttpHeaders {
  const outgoing: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = [raw[i], raw[i + 1]];
    if (name.startsWith(':') || isHopByHop(name) || name === BRIDGED_ADDRESS) continue;
    const before = outgoing[name];
    outgoing[name] = before === undefined ? value : [before, value].flat();
  }
  // HTTP/2 may split this one.
  if (headers.cookie !== undefined) outgoing.cookie = headers.cookie;
  return {
    ...outgoing,
    host: headers[':authority'] ?? headers.host ?? 'localhost',
    [BRIDGED_ADDRESS]: address,
  };
}
