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
import type { Sent } from '../send.ts';
import { StreamSends } from '../stream-sends.ts';
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
import { endWith, incoming, interruption, isCancelled } from './methods.ts';
import { Outbox } from './outbox.ts';

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

class ChatStream implements Listener, Sink {
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
    this.#outbox = new Outbox(call, {
      limit: WRITES_IN_FLIGHT,
      onRoom: () => this.#reader.resume(),
      onFull: () => options.onWindowFull(),
    });
    this.#sends = new StreamSends(this.user, options.sender, options.rate, SENDS_IN_FLIGHT);
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
      if (end === 'half-closed') await this.#endCleanly();
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
      if (this.#isWanted(entry)) this.#outbox.write(toChatMessage(entry));
      this.#outbox.afterWrites(() => this.#implicitAcks.writtenOut(entry, this.#options.clock()));
    }
    return this.#outbox.hasRoom;
  }

  caughtUp(): void {
    this.#caughtUp.resolve();
  }

  failed(error: unknown): void {
    this.#live.end(toServiceError(error));
  }

  /** Until the half-close, and until what came before it is answered and what was missed is written. */
  async #takeFrames(): Promise<'half-closed'> {
    for await (const frame of incoming<ChatMessage>(this.#call)) {
      if (this.#live.signal.aborted) break;
      this.#moveImplicitly(this.#implicitAcks.frameReceived(this.#options.clock()));
      if (isAcknowledgement(frame)) this.#acknowledge(frame);
      else if (!isHeartbeat(frame)) await this.#send(frame);
      // A client that does not read its answers is not read either.
      await this.#outbox.room();
    }
    await this.#sends.empty();
    await this.#caughtUp.promise;
    return 'half-closed';
  }

  async #endCleanly(): Promise<void> {
    this.#reader.close();
    await this.#outbox.flushed();
    if (await isCancelled(this.#call)) return;
    this.#moveImplicitly(this.#implicitAcks.endedCleanly());
    await this.#options.cursors.save();
    this.#call.end();
  }

  #send(frame: ChatMessage): Promise<void> | undefined {
    return this.#sends.send(toSendRequest(frame), {
      isForEntry: (conversation) => hasAnswer(frame, conversation),
      sent: (sent) => this.#answer(frame, sent),
      refused: (error) => this.#refuse(frame, error),
    });
  }

  /** The first app knows no answers: it gets none, because it sends no client id. */
  #answer(frame: ChatMessage, sent: Sent): void {
    if (frame.clientId !== '') this.#outbox.write(toAcknowledgement(frame, sent));
  }

  #refuse(frame: ChatMessage, error: ServiceError): void {
    if (frame.clientId === '') this.#live.end(error);
    else this.#outbox.write(toRefusal(frame, error));
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

/** A note to oneself without a client id has no answer: the entry itself comes back, as it did in the first app. */
function hasAnswer({ clientId }: ChatMessage, conversation: string): boolean {
  return clientId !== '' || !isNoteToSelf(conversation);
}

function isNoteToSelf(conversation: string): boolean {
  return membersOf(conversation)?.length === 1;
}
