import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type handleUnaryCall,
  Metadata,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type StatusObject,
} from '@grpc/grpc-js';
import { toServiceError } from '#common/errors.ts';
import { toGrpcStatus } from '#common/grpc/status.ts';
import type { Log } from '#common/log.ts';
import type { LiveCall } from '../live-calls.ts';
import { wellFormed } from './decoding.ts';

/**
 * Gives `take` the requests of a stream, one by one in their order; fulfils after its half-close or its cancellation. Where `take` returns a
 * promise, the next request waits for it, and with the requests, by flow control, the client. Rejects with what `take` throws, and with
 * INVALID_REQUEST for a request that cannot be decoded; nothing is taken then any more.
 * Not the stream's own iterator, which destroys the stream on an error, and with it what is written and not yet sent; and no
 * iterator at all, for its promises cost more than what most requests ask for.
 */
export function eachRequest<Request>(
  call: Readable,
  take: (request: Request) => Promise<void> | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let taken: Promise<void> = Promise.resolve();
    const stop = (thrown: unknown) => {
      call.off('data', onData).pause();
      reject(thrown);
    };
    const onData = (request: Request) => {
      try {
        const taking = take(wellFormed(request));
        if (taking === undefined) return;
        call.pause();
        taken = taking.then(() => void call.resume(), stop);
      } catch (thrown) {
        stop(thrown);
      }
    };
    // A stream that is paused ends all the same, when its last request is taken.
    const end = () => taken.then(resolve);
    call.on('data', onData).once('end', end).once('close', end);
  });
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
export function interruption(call: Pick<Readable, 'on'>, live: LiveCall): Promise<'cancelled'> {
  const interrupted = new Promise<'cancelled'>((resolve, reject) => {
    live.onEnd(reject);
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
