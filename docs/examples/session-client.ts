import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClientDuplexStream, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { Entry, Marks } from '#proto/chatterbox/v1/entries.ts';
import {
  type Gap,
  type Position,
  type SendRequest,
  type SendResponse,
  type SessionRequest,
  type SessionResponse,
  SessionServiceClient,
} from '#proto/chatterbox/v1/session.ts';

export interface SessionClientOptions {
  /** `host:port` of the gateway. */
  address: string;
  /** A valid access token; asked for at each connection. */
  token(): string | Promise<string>;
  /** Any stable name of this device. */
  device: string;
  /** New entries, each once, ascending in its conversation. What the promise fulfils on is acknowledged. */
  onEntries(entries: Entry[]): void | Promise<void>;
  onMarks?(marks: Marks[]): void;
  /** Entries that were left out because there were too many: fetch them with ListEntries when somebody wants to see them. */
  onGaps?(gaps: Gap[]): void;
  onCaughtUp?(): void;
  /** The session is over for good: another one of this device, or the login has ended. */
  onEnd?(status: StatusObject): void;
  log?(line: string): void;
}

/** The server takes 64 KiB in one message. */
const FRAME_BYTES = 60 * 1024;
/** What a send needs beside its text, and an acknowledgement in all, at most. */
const OVERHEAD_BYTES = 256;
/** Acknowledgements are cumulative, so many messages share one; sends take along what is due. The server saves them four times a second. */
const ACK_DELAY_MS = 100;
const AGAIN_MS = 500;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;

const CLOSED: StatusObject = { code: status.CANCELLED, details: 'closed', metadata: new Metadata() };

/** Statuses after which connecting again makes no sense. */
const FINAL = new Set<number>([status.ABORTED, status.PERMISSION_DENIED, status.INVALID_ARGUMENT]);

/**
 * One device's live connection, kept up until it is closed: reconnects with backoff, resumes, sends again with the same client id
 * what was not answered, sends together what is ready together, and stops writing while the server does not read.
 */
export class SessionClient {
  readonly #options: SessionClientOptions;
  readonly #stub: SessionServiceClient;
  /** Sends without an answer, in their order. */
  readonly #unanswered = new Map<string, Unanswered>();
  /** The last entry seen in each conversation: a repeat is not shown again. */
  readonly #seen = new Map<string, bigint>();
  #unsent: SendRequest[] = [];
  #acks = new Map<string, bigint>();
  #reads = new Map<string, bigint>();
  #revision = 0n;
  /** The newest marks taken of each conversation; they go along with its next acknowledgement. */
  readonly #marksRevisions = new Map<string, bigint>();
  #call: ClientDuplexStream<SessionRequest, SessionResponse> | undefined;
  #isFull = false;
  #isScheduled = false;
  #ackTimer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #retryAfterMs = 0;
  /** Frames are shown one after the other. */
  #showing: Promise<void> = Promise.resolve();
  #isShowing = false;
  readonly #running: Promise<void>;

  constructor(options: SessionClientOptions) {
    this.#options = options;
    this.#stub = new SessionServiceClient(options.address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      // Trying again, and the waiting between tries, is ours. Without retries and channelz a message costs a quarter less.
      'grpc.enable_retries': 0,
      'grpc.enable_channelz': 0,
      'grpc.initial_reconnect_backoff_ms': FIRST_BACKOFF_MS,
      'grpc.max_reconnect_backoff_ms': FIRST_BACKOFF_MS,
    });
    this.#running = this.#run();
  }

  /** Sends a text; fulfils when it is committed, however often the connection breaks. Rejects when it is refused for good. */
  send(friend: string, text: string, clientId: string = uuidv7()): Promise<SendResponse> {
    const request = { friend, conversation: '', text, clientId, clientTimeMs: BigInt(Date.now()) };
    const { promise, resolve, reject } = Promise.withResolvers<SendResponse>();
    this.#unanswered.set(clientId, { request, resolve, reject });
    this.#unsent.push(request);
    this.#schedule();
    return promise;
  }

  /** Everything of the conversation up to `seq` has been read. */
  markRead(conversation: string, seq: bigint): void {
    this.#reads.set(conversation, seq);
    this.#schedule();
  }

  /** Ends the connection cleanly. Sends without an answer reject. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#showing;
    this.#flush();
    this.#call?.end();
    await this.#running;
    this.#stub.close();
    for (const { reject } of this.#unanswered.values()) reject(new Error('the session was closed'));
  }

  async #run(): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    while (!this.#isClosed) {
      this.#retryAfterMs = 0;
      const { end, wasOpen } = await this.#connectOnce();
      if (this.#isClosed) return;
      this.#options.log?.(`the session ended: ${end.code} ${end.details}`);
      if (FINAL.has(end.code)) return this.#options.onEnd?.(end);
      backoff = wasOpen ? FIRST_BACKOFF_MS : Math.min(backoff * 2, LONGEST_BACKOFF_MS);
      // Full jitter, so that all clients of a restarted server do not return as one.
      await delay(this.#retryAfterMs + Math.random() * backoff);
    }
  }

  /** One connection, from its opening to its status. */
  async #connectOnce(): Promise<{ end: StatusObject; wasOpen: boolean }> {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${await this.#options.token()}`);
    // What came over the last one comes first.
    await this.#showing;
    if (this.#isClosed) return { end: CLOSED, wasOpen: false };
    const call = this.#stub.session(metadata);
    let wasOpen = false;
    const ended = new Promise<StatusObject>((resolve) =>
      call.on('status', (end: StatusObject) => {
        // What lies there unread comes again over the next one.
        this.#call = undefined;
        resolve(end);
      }),
    );
    call.on('error', () => {});
    call.on('drain', () => {
      this.#isFull = false;
      this.#schedule();
    });
    call.on('data', (frame: SessionResponse) => {
      wasOpen = true;
      if (call === this.#call) this.#take(frame, call);
    });
    this.#open(call);
    return { end: await ended, wasOpen };
  }

  #open(call: ClientDuplexStream<SessionRequest, SessionResponse>): void {
    this.#call = call;
    this.#isFull = false;
    // Whatever has no answer goes again, in its order; what was committed before gets its first answer.
    this.#unsent = Array.from(this.#unanswered.values(), ({ request }) => request);
    this.#write({ open: { device: this.#options.device, revision: this.#revision, epoch: '' } });
    this.#flush();
  }

  #take(frame: SessionResponse, call: ClientDuplexStream<SessionRequest, SessionResponse>): void {
    for (const { clientId, sent, error } of frame.results) {
      const waiting = this.#unanswered.get(clientId);
      if (waiting !== undefined && error?.code === status.UNAVAILABLE) {
        this.#sendAgain(clientId);
        continue;
      }
      this.#unanswered.delete(clientId);
      if (sent !== undefined) waiting?.resolve(sent);
      else waiting?.reject(new RefusedError(error?.code ?? status.UNKNOWN, error?.message ?? 'refused'));
    }
    if (frame.notice?.retryAfter) this.#retryAfterMs = Number(frame.notice.retryAfter.seconds) * 1000;
    if (frame.gaps.length > 0) this.#options.onGaps?.(frame.gaps);
    if (frame.marks.length > 0) this.#takeMarks(frame.marks);
    if (frame.entries.length > 0) this.#show(frame.entries, call);
    if (frame.caughtUp !== undefined) this.#afterShowing(() => this.#options.onCaughtUp?.());
  }

  #afterShowing(next: () => void): void {
    if (this.#isShowing) this.#showing = this.#showing.then(next);
    else next();
  }

  /** Whether it was committed nobody knows; under its id it is safe to ask. */
  #sendAgain(clientId: string): void {
    setTimeout(() => {
      const waiting = this.#unanswered.get(clientId);
      if (waiting === undefined) return;
      this.#unsent.push(waiting.request);
      this.#schedule();
    }, AGAIN_MS).unref();
  }

  #takeMarks(marks: Marks[]): void {
    for (const { revision, conversation, marksRevision } of marks) {
      if (revision > this.#revision) this.#revision = revision;
      if (marksRevision > (this.#marksRevisions.get(conversation) ?? 0n))
        this.#marksRevisions.set(conversation, marksRevision);
    }
    this.#options.onMarks?.(marks);
  }

  /** Shows what is new, then acknowledges. While that takes long, no more is read. */
  #show(entries: Entry[], call: ClientDuplexStream<SessionRequest, SessionResponse>): void {
    const fresh = entries.filter(({ conversation, seq }) => seq > (this.#seen.get(conversation) ?? 0n));
    for (const { conversation, seq } of fresh) this.#seen.set(conversation, seq);
    const shown = this.#options.onEntries(fresh);
    if (shown === undefined) {
      this.#acknowledge(entries);
      return;
    }
    call.pause();
    this.#isShowing = true;
    this.#showing = shown.then(() => {
      this.#isShowing = false;
      this.#acknowledge(entries);
      call.resume();
    });
  }

  #acknowledge(entries: Entry[]): void {
    for (const { conversation, seq } of entries) this.#acks.set(conversation, seq);
    this.#ackTimer ??= setTimeout(() => this.#flush(), ACK_DELAY_MS);
  }

  /** At the end of this turn of the event loop everything that is ready goes out together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    while (this.#call !== undefined && !this.#isFull && this.#hasUnsent) this.#write(this.#nextFrame());
  }

  get #hasUnsent(): boolean {
    return this.#acks.size > 0 || this.#reads.size > 0 || this.#unsent.length > 0;
  }

  /** As much as fits into one frame. */
  #nextFrame(): Partial<SessionRequest> {
    const places = Math.floor(FRAME_BYTES / OVERHEAD_BYTES);
    const acks = takeSome(this.#acks, places).map((ack) => ({
      ...ack,
      marksRevision: this.#marksRevisions.get(ack.conversation) ?? 0n,
    }));
    const reads = takeSome(this.#reads, places - acks.length);
    return { acks, reads, sends: this.#takeSends((acks.length + reads.length) * OVERHEAD_BYTES) };
  }

  #takeSends(usedBytes: number): SendRequest[] {
    let bytes = usedBytes;
    const count = this.#unsent.findIndex(({ text }) => {
      bytes += Buffer.byteLength(text) + OVERHEAD_BYTES;
      return bytes > FRAME_BYTES;
    });
    if (count === -1) return this.#unsent.splice(0);
    // One that fits into no frame is for the server to refuse.
    return this.#unsent.splice(0, usedBytes === 0 ? Math.max(count, 1) : count);
  }

  #write(part: Partial<SessionRequest>): void {
    const empty = {
      open: undefined,
      positions: [],
      sends: [],
      acks: [],
      reads: [],
      ping: undefined,
      morePositions: false,
      attempt: 0n,
    };
    if (this.#call?.write({ ...empty, ...part }) === false) this.#isFull = true;
  }
}

/** The server refused a send for what it says, and did not record it. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  /** A gRPC status code. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A UUIDv7 (RFC 9562): the server's index wants ids that grow with time. Node's pool of random bytes makes it ten times as fast as a library. */
function uuidv7(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

interface Unanswered {
  request: SendRequest;
  resolve(response: SendResponse): void;
  reject(error: Error): void;
}

function takeSome(places: Map<string, bigint>, limit: number): Position[] {
  const taken: Position[] = [];
  for (const [conversation, seq] of places) {
    if (taken.length === limit) break;
    taken.push({ conversation, seq, marksRevision: 0n });
    places.delete(conversation);
  }
  return taken;
}
