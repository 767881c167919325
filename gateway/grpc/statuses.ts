import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { status as GrpcCode } from '@grpc/grpc-js';
import { type Reason, ServiceError } from '#common/errors.ts';
import { STATUS_DETAILS, toRpcStatus } from '#common/grpc/status.ts';
import { ErrorInfo } from '#proto/google/rpc/error_details.ts';
import { Status } from '#proto/google/rpc/status.ts';
import { leaveToClient } from '../leave-to-client.ts';

/** What the numbers mean that come from a gRPC library rather than from our services; any other is INTERNAL. */
const REASON_OF: Partial<Record<number, Reason>> = {
  [GrpcCode.INVALID_ARGUMENT]: 'INVALID_REQUEST',
  [GrpcCode.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [GrpcCode.NOT_FOUND]: 'NOT_FOUND',
  [GrpcCode.ALREADY_EXISTS]: 'ALREADY_EXISTS',
  [GrpcCode.PERMISSION_DENIED]: 'NOT_PERMITTED',
  // A message, or what it unpacks to, over the library's limit: our services say RATE_LIMITED with details.
  [GrpcCode.RESOURCE_EXHAUSTED]: 'PAYLOAD_TOO_LARGE',
  [GrpcCode.FAILED_PRECONDITION]: 'CONFLICT',
  [GrpcCode.UNIMPLEMENTED]: 'UNIMPLEMENTED',
  [GrpcCode.UNAVAILABLE]: 'UNAVAILABLE',
  [GrpcCode.UNAUTHENTICATED]: 'UNAUTHENTICATED',
};

/** The trailers that end a call with this error, under its own code or another one. */
export function errorTrailers(error: ServiceError, code?: number): OutgoingHttpHeaders {
  const status = toRpcStatus(error);
  if (code !== undefined) status.code = code;
  return {
    'grpc-status': String(status.code),
    'grpc-message': percentEncoded(status.message),
    // gRPC leaves the padding out of binary headers.
    [STATUS_DETAILS]: Buffer.from(Status.encode(status).finish()).toString('base64').replace(/=+$/, ''),
  };
}

/**
 * The messenger's trailers as they are when they say how the call ended in our terms; else, with a library's
 * number and words, the same in our terms.
 */
export function ourTrailers(trailers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const code = Number(trailers['grpc-status'] ?? GrpcCode.INTERNAL);
  if (code === GrpcCode.OK || code === GrpcCode.CANCELLED || STATUS_DETAILS in trailers) return trailers;
  const reason = REASON_OF[code] ?? 'INTERNAL';
  const error = new ServiceError(reason, reason === 'UNAVAILABLE' ? { retryAfterMs: 1_000 } : {});
  const isRenamed = reason === 'PAYLOAD_TOO_LARGE' || !(code in GrpcCode);
  return { ...trailers, ...errorTrailers(error, isRenamed ? undefined : code) };
}

/** Whether a messenger says that it is going away, and has not done what was asked. */
export function isReconnect(trailers: OutgoingHttpHeaders): boolean {
  const packed = trailers[STATUS_DETAILS];
  if (Number(trailers['grpc-status']) !== GrpcCode.UNAVAILABLE || typeof packed !== 'string') return false;
  try {
    const [info] = Status.decode(Buffer.from(packed, 'base64')).details;
    return info !== undefined && ErrorInfo.decode(info.value).reason === 'RECONNECT';
  } catch {
    return false;
  }
}

export function codeOf(trailers: OutgoingHttpHeaders): number {
  return Number(trailers['grpc-status'] ?? GrpcCode.UNKNOWN);
}

/**
 * Answers the whole call with trailers only, and takes no more of it; the client has `lingerMs` to end it.
 */
export function answerWith(
  stream: ServerHttp2Stream,
  trailers: OutgoingHttpHeaders,
  requestId: string,
  lingerMs: number,
): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const head = { ':status': 200, 'content-type': 'application/grpc+proto', 'x-request-id': requestId };
  stream.respond({ ...head, ...trailers }, { endStream: true });
  leaveToClient(stream, lingerMs);
}

/** As gRPC's protocol over HTTP/2 writes a Status-Message. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/%(20|2[1-9A-F]|3[A-F]|40|5[B-F]|60|7[B-E])/g, (escaped) =>
    escaped === '%25' ? escaped : decodeURIComponent(escaped),
  );
}
