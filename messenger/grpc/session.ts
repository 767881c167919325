import { Metadata, type Server, type ServerDuplexStream } from '@grpc/grpc-js';
import { invalidField, ServiceError, toServiceError } from '#common/errors.ts';
import type { InFlight } from '#common/in-flight.ts';
import type { Log } from '#common/log.ts';
import {
  type SessionRequest,
  type SessionResponse,
  type SessionServiceServer,
  SessionServiceService,
  type Position as WirePosition,
  type SendRequest as WireSend,
} from '#proto/chatterbox/v1/session.ts';
import { Acknowledgements, type AcknowledgingStream } from '../acknowledgements.ts';
import type { Cursors } from '../cursors.ts';
import { isOfOtherEpoch } from '../epoch.ts';
import type { Hub, Listener } from '../hub.ts';
import type { LiveCall, LiveCalls } from '../live-calls.ts';
import { type Gap, OpeningPlan } from '../opening.ts';
import type { Entry, Head, Marks } from '../ports.ts';
import type { ReadMarks } from '../read-marks.ts';
import { Reader, type Sink } from '../reader.ts';
import type { Sender, SendRequest, Sent } from '../send.ts';
import { entrySeq, wholeNumber } from '../seqs.ts';
import { StateReader, type StateSink } from '../state-reader.ts';
import { type StreamAnswers, StreamSends } from '../stream-sends.ts';
import type { Arrivals } from '../turns.ts';
import type { UserRate } from '../user-rate.ts';
import { callerOf } from './callers.ts';
import { decodedByUs } from './decoding.ts';
import { eachRequest, endWith, interruption, unary } from './methods.ts';
import type { OutboxOwner } from './outbox.ts';
import { fromWireSend, toSendResponse } from './session-frame.ts';
import { SessionFrames } from './session-frames.ts';
import { type Asked, SessionOpening } from './session-opening.ts';
import { requireSize, toAcknowledgement } from './session-places.ts';

export interface SessionOptions {
  sender: Sender;
  rate: UserRate;
  /** Of streams opened. */
  openings: UserRate;
  /** Openings that go on in further frames, by user: each keeps what it was told until it is complete. */
  unfinished: InFlight;
  hub: Hub;
  liveCalls: LiveCalls;
  store: Arrivals;
  cursors: Cursors;
  readMarks: ReadMarks;
  /** A user has at most so many devices. */
  maxDevices: number;
  /** A device did not keep up: it reads on from the log. */
  onWindowFull(): void;
  clock(): number;
  log: Log;
}

type Call = ServerDuplexStream<SessionRequest, SessionResponse>;

const OPENING_MS = 10_000;
const SENDS_IN_FLIGHT = 1_024;

/** Sending, and the live connection of one device. */
export function addSessionService(server: Server, options: SessionOptions): void {
  const { sender, rate, log } = options;
  const service: SessionServiceServer = {
    send: unary(log, async (request, call) => {
      const { username } = callerOf(call);
      rate.take(username);
      return toSendResponse(await sender.send(username, fromWireSend(request, 0)));
    }),
    session: (call) => {
      serve(call, options).catch((thrown: unknown) => endWith(call, thrown, log));
    },
  };
  server.addService(decodedByUs(SessionServiceService), service);
}

async function serve(call: Call, options: SessionOptions): Promise<void> {
  const { username, sessionId } = callerOf(call);
  options.openings.take(username);
  using live = options.liveCalls.open(sessionId);
  call.sendMetadata(new Metadata());
  const session = new Session(call, live, options);
  try {
    const taken = eachRequest<SessionRequest>(call, (frame) => session.take(frame)).then(() =>
      session.finish(),
    );
    const end = await Promise.race([taken, interruption(call, live)]);
    if (end !== 'cancelled') session.end();
  } catch (thrown) {
    await session.endWith(toServiceError(thrown));
    throw thrown;
  } finally {
    session.close();
  }
}

/** One device's session. What it costs at rest counts: most of them do nothing at most times. */
class Session implements Listener, Sink, StateSink, StreamAnswers, AcknowledgingStream, OutboxOwner {
  readonly user: string;
  device = '';
  readonly #call: Call;
  readonly #live: LiveCall;
  readonly #options: SessionOptions;
  readonly #reader: Reader;
  readonly #state: StateReader;
  readonly #frames: SessionFrames;
  readonly #sends: StreamSends;
  #acks: Acknowledgements | undefined;
  /** Until the device has said where it is. */
  #opening: SessionOpening | undefined = new SessionOpening();
  /** Aborted where the stream ends while it opens. */
  #arriving: AbortController | undefined;
  #late: NodeJS.Timeout | undefined;
  #leave = () => {};
  #leaveUnfinished: (() => void) | undefined;
  /** Both readers are still to tell of what was there at the opening. What is said then: */
  #untold = 2;
  #revision = 0;
  #epoch = '';
  #listInbox = false;
  #onCaughtUp = () => {};
  /** Nothing is taken any more. */
  #isEnding = false;

  constructor(call: Call, live: LiveCall, options: SessionOptions) {
    this.user = callerOf(call).username;
    this.#call = call;
    this.#live = live;
    this.#options = options;
    this.#reader = new Reader(options.store, this);
    this.#state = new StateReader(this.user, options.store, this);
    this.#frames = new SessionFrames(call, this);
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
    if (frame.positions.length > 0 || frame.morePositions)
      throw invalidField('positions', 'must be in the opening frames only');
    requireSize(frame);
    return this.#takeParts(frame);
  }

  /** After the client's half-close: what it asked for is done, and what it has missed is told. */
  async finish(): Promise<void> {
    if (this.#hasEnded) return;
    if (this.#opening !== undefined) throw invalidField('open', 'must come before the stream is half-closed');
    await this.#sends.empty();
    if (this.#untold > 0) await new Promise<void>((resolve) => (this.#onCaughtUp = resolve));
    await this.#options.cursors.saveOf(this.user);
  }

  end(): void {
    this.close();
    this.#call.end();
  }

  /** Says why it ends, after all that is on its way was answered. */
  async endWith(error: ServiceError): Promise<void> {
    this.#isEnding = true;
    if (this.#opening !== undefined) return;
    this.#sends.end();
    await this.#sends.empty();
    this.#frames.next().notice(error);
  }

  #complete(): void {
    this.#leaveUnfinished?.();
    this.#leaveUnfinished = undefined;
  }

  close(): void {
    clearTimeout(this.#late);
    this.#complete();
    this.#leave();
    this.#arriving?.abort();
    this.#reader.close();
    this.#state.close();
    this.#frames.close();
    this.#isEnding = true;
  }

  push(entries: Entry[]): void {
    this.#reader.push(entries);
  }

  announce(head: Head): boolean {
    return this.#reader.announce(head);
  }

  pushMarks(marks: Marks[]): void {
    this.#state.push(marks);
  }

  replaced(): void {
    this.#live.end(new ServiceError('SESSION_REPLACED'));
  }

  isForEntry(): boolean {
    return true;
  }

  isPast(conversation: string, seq: number): boolean {
    return this.#reader.isPast(conversation, seq);
  }

  sent({ attempt }: SendRequest, sent: Sent): void {
    this.#frames.next().sent(sent, attempt);
  }

  refused(request: SendRequest, conversation: string, error: ServiceError): void {
    this.#frames.next().refused(request, conversation, error);
  }

  onRoom(): void {
    this.#reader.resume();
    this.#state.resume();
  }

  onFull(): void {
    this.#options.onWindowFull();
  }

  write(entries: Entry[]): boolean {
    for (const entry of entries) if (!this.#sends.hasAnswered(entry)) this.#frames.next().entry(entry);
    this.#sends.told(entries);
    return this.#frames.hasRoom;
  }

  writeMarks(marks: Marks[]): boolean {
    this.#frames.next().marks(marks);
    return this.#frames.hasRoom;
  }

  get signal(): AbortSignal {
    return this.#live.signal;
  }

  onPassed(conversation: string, seq: number): void {
    this.#sends.passed(conversation, seq);
  }

  onGap(gap: Gap): void {
    this.#frames.next().gap(gap);
  }

  caughtUp(): void {
    this.#told();
  }

  stateCaughtUp(): void {
    this.#told();
  }

  failed(error: unknown): void {
    this.#live.end(toServiceError(error));
  }

  #told(): void {
    if (--this.#untold > 0) return;
    this.#frames.next().caughtUp(this.#revision, this.#listInbox, this.#epoch);
    this.#onCaughtUp();
  }

  #open(opening: SessionOpening, frame: SessionRequest): Promise<void> | undefined {
    const asked = opening.take(frame);
    if (asked === undefined) {
      this.#leaveUnfinished ??= this.#options.unfinished.enter(this.user);
      return undefined;
    }
    this.#complete();
    clearTimeout(this.#late);
    this.#opening = undefined;
    this.#late = undefined;
    // Other contracts keep positions of their own.
    this.device = `session/${asked.device}`;
    this.#leave = this.#options.hub.join(this);
    return this.#begin(asked, frame);
  }

  /** Finds out where the device is and sends what it has missed; `frame` is the last one of the opening. */
  async #begin(asked: Asked, frame: SessionRequest): Promise<void> {
    const { user, device } = this;
    const { store, cursors, hub, rate, clock, maxDevices } = this.#options;
    this.#arriving = new AbortController();
    const { signal } = this.#arriving;
    await cursors.saveOf(user);
    if (this.#hasEnded) return;
    const now = clock();
    const arrival = { now, baseAt: now, maxDevices, openDevices: hub.devicesOf(user), epoch: asked.epoch };
    const opened = await store.openDevice(user, device, arrival, signal);
    if (this.#hasEnded) return;
    const isAnew = isOfOtherEpoch(asked, opened.epoch);
    const { revision, claims } = isAnew ? NOTHING_KNOWN : asked;
    this.#epoch = opened.epoch;
    const plan = new OpeningPlan(opened, claims);
    const { starts, gaps, listInbox } = plan.opening(await store.newestAt(plan.moments, signal));
    this.#arriving = undefined;
    this.#frames.next().opened(opened.epoch);
    for (const gap of gaps) {
      if (!this.#frames.hasRoom) await this.#frames.room();
      if (this.#hasEnded) return;
      this.#frames.next().gap(gap);
    }
    this.#revision = opened.revision;
    this.#listInbox = listInbox;
    this.#acks = new Acknowledgements({
      user,
      device,
      reader: this.#reader,
      cursors,
      rate,
      store,
      stream: this,
    });
    this.#state.start({ taken: revision, revision: opened.revision, conversations: starts });
    this.#reader.start(starts);
    // Its places are those of another log.
    await this.#takeParts(isAnew ? { ...frame, acks: [], reads: [] } : frame);
  }

  /** In the order of the fields, one after the other. */
  #takeParts({ sends, attempt, acks, reads, ping }: SessionRequest): Promise<void> | undefined {
    const sending = this.#sendAll(sends, wholeNumber(attempt, 'attempt', 0), 0);
    if (sending !== undefined) return sending.then(() => this.#takeAcks(acks, reads, ping));
    return this.#takeAcks(acks, reads, ping);
  }

  #takeAcks(
    acks: WirePosition[],
    reads: WirePosition[],
    ping: SessionRequest['ping'],
  ): Promise<void> | undefined {
    if (this.#hasEnded) return undefined;
    const taking = acks.length === 0 ? undefined : this.#acks?.take(acks.map(toAcknowledgement));
    if (taking === undefined && reads.length === 0) return this.#answerPing(ping);
    return this.#takeRest(taking, reads, ping);
  }

  async #takeRest(
    acking: Promise<void> | undefined,
    reads: WirePosition[],
    ping: SessionRequest['ping'],
  ): Promise<void> {
    await acking;
    await Promise.all(reads.map((read) => this.#moveRead(read)));
    await this.#answerPing(ping);
  }

  /** One that is refused fails alone. */
  async #moveRead({ conversation, seq }: WirePosition): Promise<void> {
    const { rate, readMarks } = this.#options;
    try {
      rate.take(this.user);
      await readMarks.move({ user: this.user, conversation, seq: entrySeq(seq, 'reads.seq') });
    } catch (thrown) {
      this.#frames.next().refusedRead({ conversation, seq }, toServiceError(thrown));
    }
  }

  #answerPing(ping: SessionRequest['ping']): Promise<void> | undefined {
    if (ping !== undefined) this.#frames.pong(ping.number);
    // A client that does not read its answers is not read either.
    return this.#frames.hasRoom ? undefined : this.#frames.room();
  }

  /** Undefined when the next ones may follow at once. */
  #sendAll(sends: WireSend[], attempt: number, from: number): Promise<void> | undefined {
    for (let i = from; i < sends.length && !this.#hasEnded; i++) {
      const room = this.#send(sends[i] as WireSend, attempt);
      if (room !== undefined) return room.then(() => this.#sendAll(sends, attempt, i + 1));
    }
    return undefined;
  }

  #send(send: WireSend, attempt: number): Promise<void> | undefined {
    const request = fromWireSend(send, attempt);
    if (send.clientId !== '') return this.#sends.send(request);
    this.#sends.refused(request, invalidField('client_id', 'must name the send'));
    return undefined;
  }
}

/** Of a device that knows another epoch. */
const NOTHING_KNOWN: Pick<Asked, 'revision' | 'claims'> = { revision: 0, claims: new Map() };
