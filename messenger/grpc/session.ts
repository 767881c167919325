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
import type { Sender, SendRequest, Sent } from '../send.ts';
import type { SendRate } from '../send-rate.ts';
import { type StreamAnswers, StreamSends } from '../stream-sends.ts';
import { callerOf } from './callers.ts';
import { decodedByUs } from './decoding.ts';
import { eachRequest, endWith, interruption, unary } from './methods.ts';
import { Outbox, type OutboxOwner } from './outbox.ts';
import { fromWireSend, SessionFrame, toSendResponse } from './session-frame.ts';
import { type Asked, SessionOpening } from './session-opening.ts';

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

const OPENING_MS = 10_000;
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
  const session = new Session(call, live, options);
  try {
    const frames = eachRequest<SessionRequest>(call, (frame) => session.take(frame));
    const end = await Promise.race([frames, interruption(call, live)]);
    if (end !== 'cancelled') await session.end();
  } catch (thrown) {
    await session.endWith(toServiceError(thrown));
    throw thrown;
  } finally {
    session.close();
  }
}

/** One device's session. What it costs at rest counts: most of them do nothing at most times. */
class Session implements Listener, Sink, StreamAnswers, OutboxOwner {
  readonly user: string;
  device = '';
  readonly #call: Call;
  readonly #live: LiveCall;
  readonly #options: SessionOptions;
  readonly #reader: Reader;
  readonly #outbox: Outbox<SessionResponse>;
  readonly #sends: StreamSends;
  /** Until the device has said where it is. */
  #opening: SessionOpening | undefined = new SessionOpening();
  #late: NodeJS.Timeout | undefined;
  #leave = () => {};
  #frame: SessionFrame | undefined;
  #revision = 0;
  /** Nothing is taken any more. */
  #isEnding = false;
  /** Nothing is written any more: the last frame and the status are on their way. */
  #isOver = false;

  constructor(call: Call, live: LiveCall, options: SessionOptions) {
    this.user = callerOf(call).username;
    this.#call = call;
    this.#live = live;
    this.#options = options;
    this.#reader = new Reader(options.store, this);
    this.#outbox = new Outbox(call, FRAMES_IN_FLIGHT, this);
    this.#sends = new StreamSends(this.user, options.sender, options.rate, SENDS_IN_FLIGHT, this);
    this.#late = setTimeout(() => live.end(invalidField('open', 'must come within 10 s')), OPENING_MS);
  }

  get #hasEnded(): boolean {
    return this.#isEnding || this.#live.reason !== undefined;
  }

  /** Takes a frame: undefined where all of it is done at once; else a promise that fulfils when the next one may come. */
  take(frame: SessionRequest): Promise<void> | undefined {
    if (this.#hasEnded) return undefined;
    if (this.#opening !== undefined) return this.#open(this.#opening, frame);
    if (frame.open !== undefined) throw invalidField('open', 'must be in the first frame only');
    return this.#takeParts(frame);
  }

  /** After the client's half-close. */
  async end(): Promise<void> {
    if (this.#opening !== undefined) throw invalidField('open', 'must come before the stream is half-closed');
    await this.#sends.empty();
    await this.#options.cursors.save();
    this.close();
    this.#call.end();
  }

  /** Says why it ends, after all that is on its way was answered. */
  async endWith(error: ServiceError): Promise<void> {
    this.#isEnding = true;
    if (this.#opening !== undefined) return;
    await this.#sends.empty();
    this.#next().notice(error);
  }

  close(): void {
    clearTimeout(this.#late);
    this.#leave();
    this.#reader.close();
    this.#flush();
    this.#isEnding = true;
    this.#isOver = true;
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

  isForEntry(): boolean {
    return true;
  }

  sent(_: SendRequest, sent: Sent): void {
    this.#next().sent(sent);
  }

  refused({ clientId }: SendRequest, error: ServiceError): void {
    this.#next().refused(clientId, error);
  }

  onRoom(): void {
    this.#flush();
    this.#reader.resume();
  }

  onFull(): void {
    this.#options.onWindowFull();
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

  #open(opening: SessionOpening, frame: SessionRequest): Promise<void> | undefined {
    const asked = opening.take(frame);
    if (asked === undefined) return undefined;
    clearTimeout(this.#late);
    this.#opening = undefined;
    this.#late = undefined;
    // Other doors keep positions of their own.
    this.device = `session/${asked.device}`;
    this.#leave = this.#options.hub.join(this);
    return this.#begin(asked, frame);
  }

  /** Finds out where the device is and sends what it has missed; `frame` is the last one of the opening. */
  async #begin({ revision, overrides }: Asked, frame: SessionRequest): Promise<void> {
    const { store, cursors } = this.#options;
    await cursors.save();
    if (this.#hasEnded) return;
    const device = await store.openDevice(this.user, this.device, revision);
    if (this.#hasEnded) return;
    const inbox = device.isNew ? await store.conversations(this.user, undefined, INBOX_PAGE) : [];
    if (this.#hasEnded) return;
    const { positions, gaps } = planOpening(device, inbox, overrides);
    this.#revision = device.revision;
    this.#next().gaps(gaps);
    for (let told = 0; told < device.marks.length; told += MARKS_AT_ONCE) {
      this.#next().marks(device.marks.slice(told, told + MARKS_AT_ONCE));
      this.#flush();
    }
    this.#reader.start(positions);
    await this.#takeParts(frame);
  }

  /** In the order of the fields, one after the other. */
  #takeParts({ sends, acks, reads, ping }: SessionRequest): Promise<void> | undefined {
    const sending = this.#sendAll(sends, 0);
    if (sending !== undefined) return sending.then(() => this.#takeRest(acks, reads, ping));
    return this.#takeRest(acks, reads, ping);
  }

  #takeRest(
    acks: WirePosition[],
    reads: WirePosition[],
    ping: SessionRequest['ping'],
  ): Promise<void> | undefined {
    if (this.#hasEnded) return undefined;
    for (const ack of acks) this.#acknowledge(ack);
    if (reads.length > 0) return this.#moveReads(reads, ping);
    if (ping !== undefined) this.#next().pong(ping.number);
    // A client that does not read its answers is not read either.
    return this.#outbox.hasRoom ? undefined : this.#outbox.room();
  }

  async #moveReads(reads: WirePosition[], ping: SessionRequest['ping']): Promise<void> {
    const { readMarks } = this.#options;
    const move = ({ conversation, seq }: WirePosition) =>
      readMarks.move({ user: this.user, conversation, seq: Number(seq) });
    await Promise.all(reads.map(move));
    if (ping !== undefined) this.#next().pong(ping.number);
    await this.#outbox.room();
  }

  /** Undefined when the next ones may follow at once. */
  #sendAll(sends: WireSend[], from: number): Promise<void> | undefined {
    for (let i = from; i < sends.length && !this.#hasEnded; i++) {
      const room = this.#send(sends[i] as WireSend);
      if (room !== undefined) return room.then(() => this.#sendAll(sends, i + 1));
    }
    return undefined;
  }

  #send(send: WireSend): Promise<void> | undefined {
    if (send.clientId !== '') return this.#sends.send(fromWireSend(send));
    this.#next().refused('', invalidField('client_id', 'must name the send'));
    return undefined;
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
    if (this.#isOver) return;
    const frame = this.#frame;
    this.#frame = undefined;
    if (frame !== undefined) this.#outbox.write(frame.finish());
  }

  /** While the outbox is full the frame goes on filling: with marks, which replace each other, and what was under way. */
  #flushIfRoom(): void {
    if (this.#outbox.hasRoom) this.#flush();
  }
}
