import { type ClientDuplexStream, credentials, type StatusObject } from '@grpc/grpc-js';
import {
  type SessionRequest,
  type SessionResponse,
  SessionServiceClient,
} from '#proto/chatterbox/v1/session.ts';
import type { Person } from './load.ts';
import { metadataOf, STUB_OPTIONS } from './stubs.ts';

export interface RawSession {
  call: ClientDuplexStream<SessionRequest, SessionResponse>;
  /** Fulfils with the first `caught_up`; rejects when the stream ends before. */
  caughtUp: Promise<void>;
  ended: Promise<StatusObject>;
  close(): Promise<void>;
}

const EMPTY = {
  positions: [],
  sends: [],
  acks: [],
  reads: [],
  ping: undefined,
  morePositions: false,
  attempt: 0n,
};

export function frame(part: Partial<SessionRequest>): SessionRequest {
  return { ...EMPTY, open: undefined, ...part };
}

export function newStub(address: string): SessionServiceClient {
  return new SessionServiceClient(address, credentials.createInsecure(), {
    ...STUB_OPTIONS,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
  });
}

/** A session on a connection of its own that acknowledges nothing and does not come back: what comes is the caller's to look at. */
export function openRaw(
  person: Person,
  device: string,
  onFrame: (frame: SessionResponse) => void = () => {},
  stub: SessionServiceClient = newStub(person.address),
): RawSession {
  const call = stub.session(metadataOf(person));
  const ended = new Promise<StatusObject>((resolve) => call.on('status', resolve));
  const { promise: caughtUp, resolve, reject } = Promise.withResolvers<void>();
  caughtUp.catch(() => {});
  call.on('error', reject);
  call.on('data', (answer: SessionResponse) => {
    onFrame(answer);
    if (answer.caughtUp !== undefined) resolve();
  });
  call.write(frame({ open: { device, revision: 0n, epoch: '' } }));
  return {
    call,
    caughtUp,
    ended,
    async close() {
      call.end();
      await ended;
      stub.close();
    },
  };
}

/** Does it for all, so many at a time. */
export async function inTurns<T>(
  items: readonly T[],
  atATime: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) await work(items[i] as T, i);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}
