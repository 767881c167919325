import { Metadata, type Server, type ServerDuplexStream } from '@grpc/grpc-js';
import { invalidField, ServiceError, toServiceError } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import {
  type SessionRequest,
  type SessionResponse,
  type SessionServiceServer,
  SessionServiceService,
  type Position as WirePosition,
  type SendRequest as WireSend,
} from '#proto/chatterbox/v1/session.ts';
import type { Cursors } from '../cursors.ts';
import type { Head, Hub, Listener } from '../hub.ts';
import type { LiveCall, LiveCalls } from '../live-calls.ts';
import { planOpening } from '../opening.ts';
import type { Entry, Marks, MessageStore } from '../ports.ts';
import type { ReadMarks } from '../read-marks.ts';
import { Reader, type Sink } from '../reader.ts';
import type { Sender, Sent } from '../send.ts';
import type { SendRate } from '../send-rate.ts';
import { StreamSends } from '../stream-sends.ts';
import { callerOf } from './callers.ts';
import { decodedByUs, endWith, incoming, interruption, unary } from './methods.ts';
import { Outbox } from './outbox.ts';
import { fromWireSend, SessionFrame, toSendResponse } from './session-frame.ts';
import { type Asked, type Frames, readOpening } from './session-opening.ts';

export interface SessionOptions {
  sender: Sender;
  rate: SendRate;
  hub: Hub;
  liveCalls: LiveCalls;
  store: Pick<MessageStore, 'openDevice' | 'conversations' | 'entries'>;
  cursors: Cursors;
  readMarks: ReadMarks;
  /** A device did not keep up: it reads on from the log. */
  onWindowFull(): void;
  log: Log;
}

type Call = ServerDuplexStream<SessionRequest, SessionResponse>;

const SENDS_IN_FLIGHT = 1_024;
/** Each of them up to 256 KiB of text: what a device that does not read may cost. */
const FRAMES_IN_FLIGHT = 4;
const INBOX_PAGE = 100;
/** A client takes 4 MiB in one message, and a mark has some 200 bytes at most. */
const MARKS_AT_ONCE = 5_000;

/** Sending, and the live connection of one device. */
export function addSessionService(server: Server, options: SessionOptions): void {
  const { sender, rate, log } = options;
  const service: SessionServiceServer = {
    send: unary(log, async (request, call) => {
      const { username } = callerOf(call);
      rate.take(username);
      return toSendResponse(await sender.send(username, fromWireSend(request)));
    }),
    session: (call) => {
      serve(call, options).catch((thrown: unknown) => endWith(call, thrown, log));
    },
  };
  server.addService(decodedByUs(SessionServiceService), service);
}

async function serve(call: Call, options: SessionOptions): Promise<void> {
  using live = options.liveCalls.open(callerOf(call).sessionId);
  call.sendMetadata(new Metadata());
  const interrupted = interruption(call, live);
  const frames = incoming<SessionRequest>(call);
  const asked = await Promise.race([readOpening(frames, live), interrupted]);
  if (asked === 'cancelled') return;
  const session = new Session(call, live, asked, options);
  const leave = options.hub.join(session);
  try {
    await session.run(frames, interrupted);
  } finally {
    leave();
  }
}

class Session implements Listener, Sink {
  readonly user: string;
  readonly device: string;
  readonly #call: Call;
  readonly #live: LiveCall;
  readonly #asked: Asked;
  readonly #options: SessionOptions;
  readonly #reader: Reader;
  readonly #outbox: Outbox<SessionResponse>;
  readonly #sends: StreamSends;
  #frame: SessionFrame | undefined;
  #revision = 0;

  constructor(call: Call, live: LiveCall, asked: Asked, options: SessionOptions) {
    this.user = callerOf(call).username;
    // Other doors keep positions of their own.
    this.device = `session/${asked.device}`;
    this.#call = call;
    this.#live = live;
    this.#asked = asked;
    this.#options = options;
    this.#reader = new Reader(options.store, this);
    this.#outbox = new Outbox(call, {
      limit: FRAMES_IN_FLIGHT,
      onRoom: () => this.#onRoom(),
      onFull: () => options.onWindowFull(),
    });
    this.#sends = new StreamSends(this.user, options.sender, options.rate, SENDS_IN_FLIGHT);
  }

  /** Serves the session to its end. Throws what it is to end with, unless the client ended it. */
  async run(frames: Frames, interrupted: Promise<'cancelled'>): Promise<void> {
    try {
      await this.#begin();
      const end = await Promise.race([this.#takeFrames(frames), interrupted]);
      if (end === 'cancelled') return;
      await this.#options.cursors.save();
      this.#flush();
      this.#call.end();
    } catch (thrown) {
      await this.#sends.empty();
      this.#next().notice(toServiceError(thrown));
      throw thrown;
    } finally {
      this.#reader.close();
      this.#flush();
    }
  }

  push(entries: Entry[]): void {
    this.#reader.push(entries);
  }

  announce(head: Head): boolean {
    return this.#reader.announce(head);
  }

  pushMarks(marks: Marks[]): void {
    this.#next().marks(marks);
  }

  replaced(): void {
    this.#live.end(new ServiceError('SESSION_REPLACED'));
  }

  write(entries: Entry[]): boolean {
    for (const entry of entries) if (!this.#sends.hasAnswered(entry)) this.#next().entry(entry);
    return this.#outbox.hasRoom;
  }

  caughtUp(): void {
    this.#next().caughtUp(this.#revision);
  }

  failed(error: unknown): void {
    this.#live.end(toServiceError(error));
  }

  async #begin(): Promise<void> {
    const { store, cursors } = this.#options;
    const { revision, overrides } = this.#asked;
    await cursors.save();
    const device = await store.openDevice(this.user, this.device, revision);
    const inbox = device.isNew ? await store.conversations(this.user, undefined, INBOX_PAGE) : [];
    const { positions, gaps } = planOpening(device, inbox, overrides);
    this.#revision = device.revision;
    this.#next().gaps(gaps);
    for (let told = 0; told < device.marks.length; told += MARKS_AT_ONCE) {
      this.#next().marks(device.marks.slice(told, told + MARKS_AT_ONCE));
      this.#flush();
    }
    this.#reader.start(positions);
  }

  async #takeFrames(frames: Frames): Promise<'half-closed'> {
    await this.#take(this.#asked.frame);
    for await (const frame of frames) {
      if (this.#live.signal.aborted) break;
      if (frame.open !== undefined) throw invalidField('open', 'must be in the first frame only');
      await this.#take(frame);
    }
    await this.#sends.empty();
    return 'half-closed';
  }

  async #take({ sends, acks, reads, ping }: SessionRequest): Promise<void> {
    for (const send of sends) {
      const room = this.#send(send);
      if (room !== undefined) await room;
    }
    for (const ack of acks) this.#acknowledge(ack);
    await Promise.all(
      reads.map(({ conversation, seq }) =>
        this.#options.readMarks.move({ user: this.user, conversation, seq: Number(seq) }),
      ),
    );
    if (ping !== undefined) this.#next().pong(ping.number);
    // A client that does not read its answers is not read either.
    if (!this.#outbox.hasRoom) await this.#outbox.room();
  }

  #send(send: WireSend): Promise<void> | undefined {
    const { clientId } = send;
    const refused = (error: ServiceError): undefined => this.#next().refused(clientId, error);
    if (clientId === '') return refused(invalidField('client_id', 'must name the send'));
    const sent = (result: Sent) => this.#next().sent(result);
    return this.#sends.send(fromWireSend(send), { isForEntry: () => true, sent, refused });
  }

  #acknowledge({ conversation, seq }: WirePosition): void {
    if (!this.#reader.skip(conversation, Number(seq))) {
      throw new ServiceError('NOT_FOUND', { detail: 'There is no such entry to acknowledge.' });
    }
    this.#options.cursors.move({ user: this.user, device: this.device, conversation, seq: Number(seq) });
  }

  /** The frame that fills; it goes out at the end of this turn of the event loop, or when it is full. */
  #next(): SessionFrame {
    if (this.#frame?.isFull) this.#flush();
    if (this.#frame === undefined) {
      this.#frame = new SessionFrame();
      setImmediate(() => this.#flushIfRoom());
    }
    return this.#frame;
  }

  #flush(): void {
    const frame = this.#frame;
    this.#frame = undefined;
    if (frame !== undefined) this.#outbox.write(frame.finish());
  }

  /** While the outbox is full the frame goes on filling: with marks, which replace each other, and what was under way. */
  #flushIfRoom(): void {
    if (this.#outbox.hasRoom) this.#flush();
  }

  #onRoom(): void {
    this.#flush();
    this.#reader.resume();
  }
}
