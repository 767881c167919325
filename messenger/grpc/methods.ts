import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type StatusObject,
} from '@grpc/grpc-js';
import { invalidField, ServiceError, toServiceError } from '#common/errors.ts';
import { toGrpcStatus } from '#common/grpc/status.ts';
import type { Log } from '#common/log.ts';
import type { LiveCall } from '../live-calls.ts';

/** The largest request message, bytes. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

type Definitions = Record<string, MethodDefinition<unknown, unknown>>;

/**
 * A service definition whose requests never fail to decode: grpc-js answers those with INTERNAL, where the fault is the
 * caller's. What cannot be decoded arrives as a Malformed, which `wellFormed` throws.
 */
export function decodedByUs<Service>(service: Service): Service {
  const methods = Object.entries(service as Definitions).map(([name, method]) => [
    name,
    { ...method, requestDeserialize: tolerant(method) },
  ]);
  return Object.fromEntries(methods) as Service;
}

/**
 * The requests of a stream, until its half-close or its cancellation. Reading on is what tells the client that there is room.
 * Not the stream's own iterator, which destroys the stream on an error, and with it what is written and not yet sent.
 * @throws ServiceError INVALID_REQUEST for one that cannot be decoded.
 */
export async function* incoming<Request>(call: Readable): AsyncGenerator<Request> {
  let change = Promise.withResolvers<void>();
  const wake = () => change.resolve();
  call.on('readable', wake).on('end', wake).on('close', wake);
  for (;;) {
    const request = call.read() as Request | null;
    if (request !== null) yield wellFormed(request);
    else if (call.readableEnded || call.destroyed) return;
    else {
      await change.promise;
      change = Promise.withResolvers();
    }
  }
}

/** The message, or the INVALID_REQUEST that it arrived as. */
function wellFormed<T>(message: T): T {
  if (message instanceof Malformed) throw message.error;
  return message;
}

/** A unary method: decode, call, encode; whatever is thrown becomes a status with details, and what is our fault is logged. */
export function unary<Request, Response>(
  log: Log,
  handle: (request: Request, call: ServerUnaryCall<Request, Response>) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => handle(wellFormed(call.request), call))
      .then(
        (response) => callback(null, response),
        (thrown: unknown) => callback(failureOf(thrown, log)),
      );
  };
}

/** Rejects with what a live call is to end with, or fulfils when its client has cancelled it. */
export function interruption(call: Pick<Readable, 'on'>, { signal }: LiveCall): Promise<'cancelled'> {
  const interrupted = new Promise<'cancelled'>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    call.on('cancelled', () => resolve('cancelled'));
  });
  // It may come before anybody waits for it.
  interrupted.catch(() => {});
  return interrupted;
}

/** How long the reset of a cancelled stream may lag behind its end. */
const RESET_LAG_MS = 200;

/**
 * Whether a stream that has ended its requests was cancelled, or its connection lost, rather than half-closed. Node's HTTP/2 clients
 * cancel by ending the stream and then resetting it, so a cancellation looks like a half-close until the reset comes.
 */
export async function isCancelled(
  call: Pick<ServerDuplexStream<unknown, unknown>, 'sendMetadata' | 'cancelled'>,
): Promise<boolean> {
  await delay(RESET_LAG_MS);
  // grpc-js looks at the stream only when it is to send something; headers go out once, so this sends nothing.
  call.sendMetadata(new Metadata());
  await delay(0);
  return call.cancelled;
}

/** Ends a stream with an error's status. What was written before goes out first. */
export function endWith(
  call: Pick<ServerDuplexStream<unknown, unknown>, 'emit'>,
  thrown: unknown,
  log: Log,
): void {
  call.emit('error', failureOf(thrown, log));
}

/** The status that a thrown value ends a call with; what is our fault is logged. */
export function failureOf(thrown: unknown, log: Log): StatusObject {
  const error = toServiceError(thrown);
  if (error.reason === 'INTERNAL') log.error({ err: error.cause }, 'call failed');
  return toGrpcStatus(error);
}

class Malformed {
  readonly error: ServiceError;
  constructor(error: ServiceError) {
    this.error = error;
  }
}

function tolerant({ requestDeserialize }: MethodDefinition<unknown, unknown>): (bytes: Buffer) => unknown {
  return (bytes) => {
    if (bytes.length > MAX_MESSAGE_BYTES)
      return new Malformed(
        new ServiceError('PAYLOAD_TOO_LARGE', {
          detail: `A message has at most ${MAX_MESSAGE_BYTES} bytes.`,
        }),
      );
    try {
      // The generated decoder takes a reader as well as bytes, and so can be given one that checks text.
      return requestDeserialize(new StrictReader(bytes) as unknown as Buffer);
    } catch (cause) {
      const error = invalidField('message', 'is not a valid protocol buffer with text in UTF-8');
      return new Malformed(
        new ServiceError(error.reason, { detail: error.message, fields: error.fields, cause }),
      );
    }
  };
}

/** Refuses text that is not UTF-8; the plain reader would put replacement characters into it. */
class StrictReader extends BinaryReader {
  override string(): string {
    return super.string(true);
  }
}
