import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import { ServiceError, toServiceError } from '#common/errors.ts';
import type { ChatMessage } from '#proto/org/harshit/messenger/chat/messages.ts';
import { Acknowledgements, type AcknowledgingStream } from '../acknowledgements.ts';
import { membersOf } from '../conversation-id.ts';
import { deviceName } from '../device-name.ts';
import type { Listener } from '../hub.ts';
import { ImplicitAcks, type Place } from '../implicit-acks.ts';
import type { LiveCall } from '../live-calls.ts';
import { type Claim, type Gap, OpeningPlan } from '../opening.ts';
import type { Entry, Head } from '../ports.ts';
import { Reader, type Sink } from '../reader.ts';
import type { SendRequest, Sent } from '../send.ts';
import { entrySeq } from '../seqs.ts';
import { type StreamAnswers, StreamSends } from '../stream-sends.ts';
import { callerOf } from './callers.ts';
import {
  isAcknowledgement,
  isHeartbeat,
  toAcknowledgement,
  toChatMessage,
  toRefusal,
  toSendRequest,
} from './chat-message.ts';
import type { ChatServiceOptions } from './chat-service.ts';
import { eachRequest, endWith, interruption, isCancelled } from './methods.ts';
import { Outbox, type OutboxOwner } from './outbox.ts';

type Call = ServerDuplexStream<ChatMessage, ChatMessage>;

const SENDS_IN_FLIGHT = 256;
const WRITES_IN_FLIGHT = 256;

/** SendMessagesGRPC: one stream that both sends and receives. */
export function liveChat(options: ChatServiceOptions): (call: Call) => void {
  return (call) => {
    serve(call, options).catch((thrown: unknown) => endWith(call, thrown, options.log));
  };
}

async function serve(call: Call, options: ChatServiceOptions): Promise<void> {
  const { username, sessionId } = callerOf(call);
  options.openings.take(username);
  using live = options.liveCalls.open(sessionId);
  const stream = new ChatStream(call, live, options);
  const leave = options.hub.join(stream);
  try {
    await stream.run();
  } finally {
    leave();
  }
}

class ChatStream implements Listener, Sink, StreamAnswers, AcknowledgingStream, OutboxOwner {
  readonly user: string;
  readonly device: string;
  readonly #call: Call;
  readonly #live: LiveCall;
  readonly #options: ChatServiceOptions;
  readonly #reader: Reader;
  readonly #outbox: Outbox<ChatMessage>;
  readonly #sends: StreamSends;
  readonly #acks: Acknowledgements;
  /** Where entries are left out, until the entry comes that says so. */
  readonly #gaps = new Map<string, Gap>();
  #listInbox = false;
  readonly #implicitAcks = new ImplicitAcks();
  readonly #caughtUp = Promise.withResolvers<void>();
  readonly #wantsOwn: boolean;
  /** Whether this client acknowledges; then nothing else moves its position. */
  #acknowledges = false;

  constructor(call: Call, live: LiveCall, options: ChatServiceOptions) {
    this.user = callerOf(call).username;
    this.device = deviceOf(call);
    this.#wantsOwn = call.metadata.get('chatterbox-sync')[0] === '1';
    this.#call = call;
    this.#live = live;
    this.#options = options;
    this.#reader = new Reader(options.store, this);
    this.#outbox = new Outbox(call, WRITES_IN_FLIGHT, this);
    const { sender, rate, cursors, store } = options;
    this.#sends = new StreamSends(this.user, sender, rate, SENDS_IN_FLIGHT, this);
    const { user, device } = this;
    this.#acks = new Acknowledgements({
      user,
      device,
      reader: this.#reader,
      cursors,
      rate,
      store,
      stream: this,
    });
  }

  /** Serves the stream to its end. Throws what it is to end with, unless the client ended it. */
  async run(): Promise<void> {
    const interrupted = interruption(this.#call, this.#live);
    const arriving = new AbortController();
    this.#call.sendMetadata(new Metadata());
    try {
      const isOpen = await Promise.race([this.#open(arriving.signal), interrupted]);
      if (isOpen === 'cancelled') return;
      const end = await Promise.race([this.#takeFrames(), interrupted]);
      if (end === 'half-closed') await Promise.race([this.#endCleanly(), interrupted]);
    } finally {
      arriving.abort();
      this.#reader.close();
      this.#sends.end();
      await this.#sends.empty();
    }
  }

  push(entries: Entry[]): void {
    this.#reader.push(entries);
  }

  announce(head: Head): boolean {
    return this.#reader.announce(head);
  }

  replaced(): void {
    this.#live.end(new ServiceError('SESSION_REPLACED'));
  }

  get signal(): AbortSignal {
    return this.#live.signal;
  }

  isPast(conversation: string, seq: number): boolean {
    return this.#reader.isPast(conversation, seq);
  }

  onPassed(conversation: string, seq: number): void {
    this.#sends.passed(conversation, seq);
  }

  onGap(gap: Gap): void {
    this.#gaps.set(gap.conversation, gap);
  }

  write(entries: Entry[]): boolean {
    for (const entry of entries) {
      const { conversation, seq } = entry;
      if (this.#isWanted(entry)) this.#deliver(entry);
      this.#outbox.afterWrites(conversation, () =>
        this.#implicitAcks.writtenOut({ conversation, seq }, this.#options.steady()),
      );
    }
    this.#sends.told(entries);
    return this.#outbox.hasRoom;
  }

  /** A note to oneself without a client id has no answer: the entry itself comes back, as it did in the first app. */
  isForEntry({ clientId }: SendRequest, conversation: string): boolean {
    return clientId !== '' || !isNoteToSelf(conversation);
  }

  /** The first app knows no answers: it gets none, because it sends no client id. */
  sent(request: SendRequest, sent: Sent): void {
    if (request.clientId !== '') this.#outbox.write(toAcknowledgement(request, sent));
  }

  refused(request: SendRequest, _: string, error: ServiceError): void {
    if (request.clientId === '') this.#live.end(error);
    else this.#outbox.write(toRefusal(request, error));
  }

  onRoom(): void {
    this.#reader.resume();
  }

  onFull(): void {
    this.#options.onWindowFull();
  }

  caughtUp(): void {
    this.#caughtUp.resolve();
  }

  failed(error: unknown): void {
    this.#live.end(toServiceError(error));
  }

  /** A stream whose device has no name is the user's own, and begins with the first entry. */
  async #open(signal: AbortSignal): Promise<void> {
    const { user, device } = this;
    const { cursors, store, hub, clock, maxDevices } = this.#options;
    await cursors.saveOf(user);
    const now = clock();
    const baseAt = device === UNNAMED ? 0 : now;
    const arrival = { now, baseAt, maxDevices, openDevices: hub.devicesOf(user), epoch: '' };
    const plan = new OpeningPlan(await store.openDevice(user, device, arrival, signal), NO_CLAIMS);
    const { starts, gaps, listInbox } = plan.opening(await store.newestAt(plan.moments, signal));
    for (const gap of gaps) this.onGap(gap);
    this.#listInbox = listInbox;
    this.#reader.start(starts);
  }

  /** The first message after a gap says where the gap begins, and the first of all whether the inbox holds more. */
  #deliver(entry: Entry): void {
    const gapFirstSeq = BigInt(this.#gaps.get(entry.conversation)?.firstSeq ?? 0);
    this.#outbox.write({ ...toChatMessage(entry), gapFirstSeq, listInbox: this.#listInbox });
    if (this.#gaps.size > 0) this.#gaps.delete(entry.conversation);
    this.#listInbox = false;
  }

  /** Until the half-close, and until what came before it is answered and what was missed is written. */
  async #takeFrames(): Promise<'half-closed'> {
    await eachRequest<ChatMessage>(this.#call, (frame) => this.#take(frame));
    await this.#sends.empty();
    await this.#caughtUp.promise;
    return 'half-closed';
  }

  async #endCleanly(): Promise<void> {
    this.#reader.close();
    await this.#outbox.flushed();
    if ((await isCancelled(this.#call)) || this.#live.reason !== undefined) return;
    this.#moveImplicitly(this.#implicitAcks.endedCleanly());
    await this.#options.cursors.saveOf(this.user);
    this.#call.end();
  }

  /** Undefined where it is done at once, as most is; else a promise that fulfils when the next frame may come. */
  #take(frame: ChatMessage): Promise<void> | undefined {
    if (this.#live.reason !== undefined) return undefined;
    this.#moveImplicitly(this.#implicitAcks.frameReceived(this.#options.steady()));
    let taking: Promise<void> | undefined;
    if (isAcknowledgement(frame)) taking = this.#acknowledge(frame);
    else if (!isHeartbeat(frame)) taking = this.#sends.send(toSendRequest(frame));
    // A client that does not read its answers is not read either.
    if (taking !== undefined) return taking.then(() => this.#outbox.room());
    return this.#outbox.hasRoom ? undefined : this.#outbox.room();
  }

  #acknowledge({ conversation, seq }: ChatMessage): Promise<void> | undefined {
    this.#acknowledges = true;
    return this.#acks.take([{ conversation, seq: entrySeq(seq, 'seq'), marksTaken: 0 }]);
  }

  #moveImplicitly(reached: Place[]): void {
    if (this.#acknowledges) return;
    const { user, device } = this;
    for (const { conversation, seq } of reached)
      this.#options.cursors.move({ user, device, conversation, seq, marksTaken: 0 });
  }

  /** One's own messages come only where asked for, from other devices; a note to oneself always does, and one that tells of a gap. */
  #isWanted(entry: Entry): boolean {
    if (entry.sender !== this.user) return true;
    if (this.#sends.hasAnswered(entry)) return false;
    return this.#wantsOwn || isNoteToSelf(entry.conversation) || this.#gaps.has(entry.conversation);
  }
}

/** Of a stream that names no device. */
const UNNAMED = 'chat/';
const NO_CLAIMS = new Map<string, Claim>();

/** Other doors keep positions of their own, hence the prefix. A device need not have a name. */
function deviceOf({ metadata }: Call): string {
  const [device = ''] = metadata.get('chatterbox-device').map(String);
  return `${UNNAMED}${device === '' ? '' : deviceName(device, 'chatterbox-device')}`;
}

function isNoteToSelf(conversation: string): boolean {
  return membersOf(conversation)?.length === 1;
}
