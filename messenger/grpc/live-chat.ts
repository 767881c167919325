import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import { ServiceError, toServiceError } from '#common/errors.ts';
import type { ChatMessage } from '#proto/org/harshit/messenger/chat/messages.ts';
import { membersOf } from '../conversation-id.ts';
import { deviceName } from '../device-name.ts';
import type { Head, Listener } from '../hub.ts';
import { ImplicitAcks, type Place } from '../implicit-acks.ts';
import type { LiveCall } from '../live-calls.ts';
import type { Entry } from '../ports.ts';
import { Reader, type Sink } from '../reader.ts';
import type { SendRequest, Sent } from '../send.ts';
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
  using live = options.liveCalls.open(callerOf(call).sessionId);
  const stream = new ChatStream(call, live, options);
  const leave = options.hub.join(stream);
  try {
    await stream.run();
  } finally {
    leave();
  }
}

class ChatStream implements Listener, Sink, StreamAnswers, OutboxOwner {
  readonly user: string;
  readonly device: string;
  readonly #call: Call;
  readonly #live: LiveCall;
  readonly #options: ChatServiceOptions;
  readonly #reader: Reader;
  readonly #outbox: Outbox<ChatMessage>;
  readonly #sends: StreamSends;
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
    this.#sends = new StreamSends(this.user, options.sender, options.rate, SENDS_IN_FLIGHT, this);
  }

  /** Serves the stream to its end. Throws what it is to end with, unless the client ended it. */
  async run(): Promise<void> {
    const { cursors, store } = this.#options;
    const interrupted = interruption(this.#call, this.#live);
    this.#call.sendMetadata(new Metadata());
    try {
      await cursors.save();
      this.#reader.start(await store.positions(this.user, this.device));
      const end = await Promise.race([this.#takeFrames(), interrupted]);
      if (end === 'half-closed') await Promise.race([this.#endCleanly(), interrupted]);
    } finally {
      this.#reader.close();
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

  write(entries: Entry[]): boolean {
    for (const entry of entries) {
      const { conversation, seq } = entry;
      if (this.#isWanted(entry)) this.#outbox.write(toChatMessage(entry));
      this.#outbox.afterWrites(conversation, () =>
        this.#implicitAcks.writtenOut({ conversation, seq }, this.#options.clock()),
      );
    }
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

  refused(request: SendRequest, error: ServiceError): void {
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
    await this.#options.cursors.save();
    this.#call.end();
  }

  /** Undefined where it is done at once, as most is; else a promise that fulfils when the next frame may come. */
  #take(frame: ChatMessage): Promise<void> | undefined {
    if (this.#live.reason !== undefined) return undefined;
    this.#moveImplicitly(this.#implicitAcks.frameReceived(this.#options.clock()));
    let sending: Promise<void> | undefined;
    if (isAcknowledgement(frame)) this.#acknowledge(frame);
    else if (!isHeartbeat(frame)) sending = this.#sends.send(toSendRequest(frame));
    // A client that does not read its answers is not read either.
    if (sending !== undefined) return sending.then(() => this.#outbox.room());
    return this.#outbox.hasRoom ? undefined : this.#outbox.room();
  }

  #acknowledge({ conversation, seq }: ChatMessage): void {
    if (!this.#reader.skip(conversation, Number(seq))) {
      throw new ServiceError('NOT_FOUND', { detail: 'There is no such entry to acknowledge.' });
    }
    this.#acknowledges = true;
    this.#move({ conversation, seq: Number(seq) });
  }

  #moveImplicitly(reached: Place[]): void {
    if (!this.#acknowledges) for (const place of reached) this.#move(place);
  }

  #move({ conversation, seq }: Place): void {
    this.#options.cursors.move({ user: this.user, device: this.device, conversation, seq });
  }

  /** One's own messages come only where asked for, from other devices; a note to oneself always does. */
  #isWanted(entry: Entry): boolean {
    if (entry.sender !== this.user) return true;
    if (this.#sends.hasAnswered(entry)) return false;
    return this.#wantsOwn || isNoteToSelf(entry.conversation);
  }
}

/** Other doors keep positions of their own, hence the prefix. A device need not have a name. */
function deviceOf({ metadata }: Call): string {
  const [device = ''] = metadata.get('chatterbox-device').map(String);
  return `chat/${device === '' ? '' : deviceName(device, 'chatterbox-device')}`;
}

function isNoteToSelf(conversation: string): boolean {
  return membersOf(conversation)?.length === 1;
}
