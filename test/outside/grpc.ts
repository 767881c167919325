import {
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { BadRequest, ErrorInfo, RetryInfo } from '#proto/google/rpc/error_details.ts';
import { Status } from '#proto/google/rpc/status.ts';

/** An outsider's view of the gRPC side: stubs made by proto-loader from the .proto files. */
type Stub = any;

const LOADING = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };

const current = loadPackageDefinition(
  loadSync(
    [
      'org/harshit/messenger/chat/messages.proto',
      'chatterbox/v1/conversations.proto',
      'chatterbox/v1/session.proto',
    ],
    {
      ...LOADING,
      includeDirs: ['proto'],
    },
  ),
) as any;
const old = loadPackageDefinition(loadSync('test/fixtures/old-app/messages.proto', LOADING)) as any;

/** What a call may carry beside its messages. */
export interface CallOptions {
  token?: string | undefined;
  metadata?: Record<string, string>;
}

/** Each stub has a connection of its own, as each app would. */
const OWN_CONNECTION = { 'grpc.use_local_subchannel_pool': 1 };

export function chatStub(url: string): Stub {
  return new current.org.harshit.messenger.chat.ChatService(
    addressOf(url),
    credentials.createInsecure(),
    OWN_CONNECTION,
  );
}

/** The stub of an app that was built with the first file. */
export function oldChatStub(url: string): Stub {
  return new old.org.harshit.messenger.chat.ChatService(
    addressOf(url),
    credentials.createInsecure(),
    OWN_CONNECTION,
  );
}

export function conversationsStub(url: string): Stub {
  return new current.chatterbox.v1.ConversationsService(
    addressOf(url),
    credentials.createInsecure(),
    OWN_CONNECTION,
  );
}

export function sessionStub(url: string): Stub {
  return new current.chatterbox.v1.SessionService(
    addressOf(url),
    credentials.createInsecure(),
    OWN_CONNECTION,
  );
}

export function addressOf(url: string): string {
  return url.replace('http://', '');
}

export function metadataOf({ token, metadata = {} }: CallOptions): Metadata {
  const headers = new Metadata();
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
  return headers;
}

/** One unary call. Rejects with the status. */
export function unary(stub: Stub, method: string, request: object, options: CallOptions = {}): Promise<any> {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 15_000;
    stub[method](
      request,
      metadataOf(options),
      { deadline },
      (error: ServiceError | null, response: unknown) => (error ? reject(error) : resolve(response)),
    );
  });
}

/** A client stream: sends all, half-closes, and gives the answer. */
export function streamAll(stub: Stub, messages: Iterable<object>, options: CallOptions): Promise<any> {
  return new Promise((resolve, reject) => {
    const call = stub.StreamMessage(metadataOf(options), (error: ServiceError | null, response: unknown) =>
      error ? reject(error) : resolve(response),
    );
    for (const message of messages) call.write(message);
    call.end();
  });
}

/** A message as it comes off the wire. */
export interface Message {
  user: string;
  friend: string;
  message: string;
  timestamp: string;
  client_id: string;
  conversation: string;
  seq: string;
  sent_at: string;
  gap_first_seq: string;
  list_inbox: boolean;
  error: { code: number; message: string } | null;
}

/** A bidirectional stream, as an app sees it. */
class LiveStream<Frame> {
  readonly received: Frame[] = [];
  /** How the stream ended. */
  readonly ended: Promise<StatusObject>;
  readonly #call: ClientDuplexStream<object, Frame>;
  #arrived = Promise.withResolvers<void>();
  #taken = 0;

  constructor(call: ClientDuplexStream<object, Frame>) {
    this.#call = call;
    this.#call.on('data', (frame: Frame) => {
      this.received.push(frame);
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    });
    this.#call.on('error', () => {});
    this.ended = new Promise((resolve) => this.#call.on('status', resolve));
    this.ended.then(() => this.#arrived.resolve());
  }

  /** Fulfils when the server has accepted the stream. */
  opened(): Promise<void> {
    return new Promise((resolve) => this.#call.once('metadata', () => resolve()));
  }

  write(message: object): void {
    this.#call.write(message);
  }

  /** False where the server does not take it yet: the client then holds it, and should not write more. */
  writeOrWait(message: object): boolean {
    return this.#call.write(message);
  }

  /** The next message that nobody has taken yet; rejects when the stream ends before. */
  async next(): Promise<Frame> {
    for (;;) {
      const message = this.received[this.#taken];
      if (message !== undefined) {
        this.#taken++;
        return message;
      }
      const arrived = this.#arrived.promise;
      const end = await Promise.race([arrived, this.ended]);
      if (end !== undefined && this.received.length === this.#taken)
        throw new Error(`the stream ended with ${end.code} ${end.details}`);
    }
  }

  async take(count: number): Promise<Frame[]> {
    const messages: Frame[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  /** Stops reading, as a stalled app does. */
  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  /** The clean end: half-close, then wait for the status. */
  async end(): Promise<StatusObject> {
    this.#call.end();
    return this.ended;
  }

  /** The unclean end. */
  async cut(): Promise<void> {
    this.#call.cancel();
    await this.ended;
  }
}

/** An open SendMessagesGRPC stream. */
export class Chat extends LiveStream<Message> {
  constructor(stub: Stub, options: CallOptions) {
    super(stub.SendMessagesGRPC(metadataOf(options)));
  }

  acknowledge({ conversation, seq }: Pick<Message, 'conversation' | 'seq'>): void {
    this.write({ conversation, seq });
  }
}

/** A frame of a Session as it comes off the wire. */
export interface SessionFrame {
  results: {
    client_id: string;
    conversation: string;
    sent?: { conversation: string; seq: string };
    error?: { code: number };
    attempt: string;
  }[];
  entries: {
    conversation: string;
    seq: string;
    sender: string;
    client_id: string;
    message: { text: string };
  }[];
  gaps: { conversation: string; first_seq: string; last_seq: string }[];
  marks: {
    conversation: string;
    member: string;
    read_seq: string;
    delivered_seq: string;
    revision: string;
    marks_revision: string;
  }[];
  caught_up: { revision: string; list_inbox: boolean; epoch: string } | null;
  notice: { reason: string } | null;
  pong: { number: string } | null;
  refused_reads: { conversation: string; seq: string; error: { code: number } }[];
  opened: { epoch: string } | null;
}

/** An open Session of one device. */
export class Session extends LiveStream<SessionFrame> {
  constructor(stub: Stub, options: CallOptions, open: object) {
    super(stub.Session(metadataOf(options)));
    this.write(open);
  }

  /** All frames up to the first that satisfies `isLast`. */
  async until(isLast: (frame: SessionFrame) => boolean): Promise<SessionFrame[]> {
    const frames: SessionFrame[] = [];
    for (;;) {
      const frame = await this.next();
      frames.push(frame);
      if (isLast(frame)) return frames;
    }
  }

  /** What came until the opening was told. */
  caughtUp(): Promise<SessionFrame[]> {
    return this.until((frame) => frame.caught_up !== null);
  }

  /** So many entries, over as many frames as it takes. */
  async entries(count: number): Promise<SessionFrame['entries']> {
    const entries: SessionFrame['entries'] = [];
    while (entries.length < count) entries.push(...(await this.next()).entries);
    return entries;
  }
}

/** What a status carries for programs. */
export interface Details {
  reason?: string;
  domain?: string;
  metadata?: Record<string, string>;
  retryDelayMs?: number;
  fields?: string[];
}

/** The google.rpc details of an error. */
export function detailsOf(error: Pick<StatusObject, 'metadata'>): Details {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const details: Details = {};
  for (const { typeUrl, value } of bytes ? Status.decode(bytes as Buffer).details : []) {
    if (typeUrl.endsWith('ErrorInfo')) Object.assign(details, ErrorInfo.decode(value));
    if (typeUrl.endsWith('RetryInfo')) {
      const { seconds = 0n, nanos = 0 } = RetryInfo.decode(value).retryDelay ?? {};
      details.retryDelayMs = Number(seconds) * 1000 + nanos / 1e6;
    }
    if (typeUrl.endsWith('BadRequest'))
      details.fields = BadRequest.decode(value).fieldViolations.map((f) => f.field);
  }
  return details;
}

/** The error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<ServiceError> {
  return promise.then(
    (value) => {
      throw new Error(`expected a failure, got ${JSON.stringify(value)}`);
    },
    (error) => error,
  );
}
