import { type StatusObject, status } from '@grpc/grpc-js';
import type { Any } from '#proto/google/protobuf/any.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import { ErrorInfo, RetryInfo } from '#proto/google/rpc/error_details.ts';
import { Status } from '#proto/google/rpc/status.ts';

/** A send was refused for good. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  /** A gRPC status code. */
  readonly code: number;
  /** Empty where the server gave none. */
  readonly reason: string;

  constructor(code: number, message: string, reason = '') {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

/** What an error says to programs. */
export interface Details {
  /** Empty where the error was not made by Chatterbox: a proxy's, or the library's own. */
  reason: string;
  /** Which limit refused it, where that is said. */
  limit: string;
  retryMs: number;
}

/** From those of a google.rpc.Status, as the errors in a frame are. */
export function detailsOf(details: readonly Any[]): Details {
  let [reason, limit, retryMs] = ['', '', 0];
  for (const { typeUrl, value } of details) {
    if (typeUrl.endsWith('/google.rpc.ErrorInfo')) {
      const info = ErrorInfo.decode(value);
      if (info.domain === 'chatterbox') [reason, limit] = [info.reason, info.metadata.limit ?? ''];
    } else if (typeUrl.endsWith('/google.rpc.RetryInfo')) retryMs = toMs(RetryInfo.decode(value).retryDelay);
  }
  return { reason, limit, retryMs };
}

/** The details of the status that a call ended with. */
export function detailsOfEnd({ metadata }: Pick<StatusObject, 'metadata'>): Details {
  const [packed] = metadata.get('grpc-status-details-bin');
  try {
    if (Buffer.isBuffer(packed)) return detailsOf(Status.decode(packed).details);
  } catch {
    // A proxy may have cut them.
  }
  return { reason: '', limit: '', retryMs: 0 };
}

export function toMs(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
}

/**
 * The send may succeed soon, under the same id. A first contact too many may have to wait for long: the
 * person tries it again.
 */
export function isForNow(code: number, { limit }: Pick<Details, 'limit'> = { limit: '' }): boolean {
  return code === status.UNAVAILABLE || (code === status.RESOURCE_EXHAUSTED && limit !== 'first_contacts');
}

/** What servers, proxies and libraries end streams with every day. */
const USUAL = new Set<number>([
  status.OK,
  status.CANCELLED,
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
  status.UNAVAILABLE,
]);

/** Where the server says these, connecting again would end the same way. */
const FINAL = new Set<number>([
  status.ABORTED,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.PERMISSION_DENIED,
  status.UNIMPLEMENTED,
]);

/** What to do after the end of a session: connect again, do it rarely, do it with a fresh token, or stop. */
export function nextAfter(
  code: number,
  { reason }: Omit<Details, 'limit'>,
): 'again' | 'rarely' | 'refresh' | 'stop' {
  if (code === status.UNAUTHENTICATED) return reason === 'SESSION_ENDED' ? 'stop' : 'refresh';
  if (FINAL.has(code) && reason !== '') return 'stop';
  return USUAL.has(code) ? 'again' : 'rarely';
}
