import type { ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import { chatStub, type Message, metadataOf, type SessionFrame, sessionStub } from '../../outside/grpc.ts';
import type { Account } from '../../outside/http.ts';

/** What a frame brings to a device of one conversation. */
export interface Arrival {
  conversation: string;
  /** The seqs of its entries, in the order in which they came. */
  seqs: number[];
  gaps: number;
  /** The greatest marks revision that it tells of; 0 for none. */
  marksRevision: number;
}

export interface Place {
  conversation: string;
  seq: number;
  marksRevision: number;
}

/** An open stream of one device. */
export interface DeviceStream {
  /** Fulfils when the server has accepted it. */
  opened: Promise<void>;
  ended: Promise<StatusObject>;
  acknowledge(place: Place): void;
  halfClose(): void;
}

/** Opens a call that delivers to a device. `onFrame` hears of each frame. */
export type Open = (
  url: string,
  account: Account,
  device: string,
  onFrame: (arrival: Arrival) => void,
) => DeviceStream;

export const openSession: Open = (url, account, device, onFrame) => {
  const stub = sessionStub(url);
  const call: ClientDuplexStream<object, SessionFrame> = stub.Session(metadataOf(account));
  const opened = Promise.withResolvers<void>();
  call.on('data', (frame: SessionFrame) => {
    if (frame.caught_up !== null) opened.resolve();
    onFrame(toArrival(frame));
  });
  call.write({ open: { device } });
  return {
    opened: opened.promise,
    ended: endOf(call, stub),
    acknowledge: ({ conversation, seq, marksRevision }) =>
      call.write({ acks: [{ conversation, seq, marks_revision: marksRevision }] }),
    halfClose: () => call.end(),
  };
};

export const openChat: Open = (url, account, device, onFrame) => {
  const stub = chatStub(url);
  const metadata = { 'chatterbox-device': device };
  const call: ClientDuplexStream<object, Message> = stub.SendMessagesGRPC(
    metadataOf({ ...account, metadata }),
  );
  call.on('data', ({ conversation, seq, gap_first_seq }: Message) =>
    onFrame({ conversation, seqs: [Number(seq)], gaps: gap_first_seq === '0' ? 0 : 1, marksRevision: 0 }),
  );
  return {
    opened: new Promise((resolve) => call.once('metadata', () => resolve())),
    ended: endOf(call, stub),
    acknowledge: ({ conversation, seq }) => call.write({ conversation, seq }),
    halfClose: () => call.end(),
  };
};

function endOf<Frame>(
  call: ClientDuplexStream<object, Frame>,
  stub: { close(): void },
): Promise<StatusObject> {
  call.on('error', () => {});
  return new Promise((resolve) =>
    call.on('status', (status) => {
      stub.close();
      resolve(status);
    }),
  );
}

function toArrival({ entries, marks, gaps }: SessionFrame): Arrival {
  const [first] = [...entries, ...marks, ...gaps];
  return {
    conversation: first?.conversation ?? '',
    seqs: entries.map(({ seq }) => Number(seq)),
    gaps: gaps.length,
    marksRevision: Math.max(0, ...marks.map(({ marks_revision }) => Number(marks_revision))),
  };
}
