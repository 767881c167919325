import {
  status as GrpcCode,
  type Metadata,
  Metadata as MetadataClass,
  type StatusObject,
} from '@grpc/grpc-js';
import type { Any } from '#proto/google/protobuf/any.ts';
import { BadRequest, ErrorInfo, RetryInfo } from '#proto/google/rpc/error_details.ts';
import { Status } from '#proto/google/rpc/status.ts';
import { type Code, ERROR_DOMAIN, type ServiceError } from '../errors.ts';

/** Our codes as gRPC numbers them. */
const NUMBERS: Record<Code, number> = {
  INVALID_ARGUMENT: GrpcCode.INVALID_ARGUMENT,
  DEADLINE_EXCEEDED: GrpcCode.DEADLINE_EXCEEDED,
  NOT_FOUND: GrpcCode.NOT_FOUND,
  ALREADY_EXISTS: GrpcCode.ALREADY_EXISTS,
  PERMISSION_DENIED: GrpcCode.PERMISSION_DENIED,
  RESOURCE_EXHAUSTED: GrpcCode.RESOURCE_EXHAUSTED,
  FAILED_PRECONDITION: GrpcCode.FAILED_PRECONDITION,
  ABORTED: GrpcCode.ABORTED,
  UNIMPLEMENTED: GrpcCode.UNIMPLEMENTED,
  INTERNAL: GrpcCode.INTERNAL,
  UNAVAILABLE: GrpcCode.UNAVAILABLE,
  UNAUTHENTICATED: GrpcCode.UNAUTHENTICATED,
};

/** The trailer that carries a google.rpc.Status with its details. */
export const STATUS_DETAILS = 'grpc-status-details-bin';

/** The error as google.rpc.Status: ErrorInfo always, RetryInfo and BadRequest where there is something to say. */
export function toRpcStatus(error: ServiceError): Status {
  const details: Any[] = [
    pack(
      'ErrorInfo',
      ErrorInfo.encode({ reason: error.reason, domain: ERROR_DOMAIN, metadata: error.metadata }).finish(),
    ),
  ];
  if (error.retryAfterMs !== undefined) {
    const seconds = BigInt(Math.floor(error.retryAfterMs / 1000));
    const nanos = Math.round((error.retryAfterMs % 1000) * 1e6);
    details.push(pack('RetryInfo', RetryInfo.encode({ retryDelay: { seconds, nanos } }).finish()));
  }
  if (error.fields.length > 0) {
    const fieldViolations = error.fields.map((f) => ({ ...f, reason: '', localizedMessage: undefined }));
    details.push(pack('BadRequest', BadRequest.encode({ fieldViolations }).finish()));
  }
  return { code: NUMBERS[error.code], message: error.message, details };
}

/** The error as the status that ends a call. */
export function toGrpcStatus(error: ServiceError): StatusObject & { metadata: Metadata } {
  const rpcStatus = toRpcStatus(error);
  const metadata = new MetadataClass();
  metadata.set(STATUS_DETAILS, Buffer.from(Status.encode(rpcStatus).finish()));
  return { code: rpcStatus.code, details: rpcStatus.message, metadata };
}

function pack(name: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value: Buffer.from(value) };
}
