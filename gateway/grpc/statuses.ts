import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { status as GrpcCode } from '@grpc/grpc-js';
import type { ServiceError } from '#common/errors.ts';
import { STATUS_DETAILS, toGrpcStatus } from '#common/grpc/status.ts';

/** The trailers that end a call with this error. */
export function errorTrailers(error: ServiceError): OutgoingHttpHeaders {
  const { code, details, metadata } = toGrpcStatus(error);
  const [packed] = metadata.get(STATUS_DETAILS);
  return {
    'grpc-status': String(code),
    'grpc-message': percentEncoded(details),
    // gRPC leaves the padding out of binary headers.
    [STATUS_DETAILS]: Buffer.from(packed ?? '')
      .toString('base64')
      .replace(/=+$/, ''),
  };
}

/** What a gRPC server says to a call of a method that it does not have. */
export function unimplementedTrailers(path: string): OutgoingHttpHeaders {
  return {
    'grpc-status': String(GrpcCode.UNIMPLEMENTED),
    'grpc-message': percentEncoded(`The server does not implement the method ${path}`),
  };
}

/** Answers the whole call with trailers only, and asks the client to send no more. */
export function answerWith(
  stream: ServerHttp2Stream,
  trailers: OutgoingHttpHeaders,
  requestId: string,
): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const head = { ':status': 200, 'content-type': 'application/grpc+proto', 'x-request-id': requestId };
  stream.respond({ ...head, ...trailers }, { endStream: true });
  stream.close();
}

/** As gRPC's protocol over HTTP/2 writes a Status-Message. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/%(20|2[1-9A-F]|3[A-F]|40|5[B-F]|60|7[B-E])/g, (escaped) =>
    escaped === '%25' ? escaped : decodeURIComponent(escaped),
  );
}
