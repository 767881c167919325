import { setTimeout as delay } from 'node:timers/promises';
import { type ClientDuplexStream, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { Entry, Marks } from '#proto/chatterbox/v1/entries.ts';
import {
  type Gap,
  type Position,
  type RefusedRead,
  type SendResponse,
  type SessionRequest,
  type SessionResponse,
  SessionServiceClient,
} from '#proto/chatterbox/v1/session.ts';
import { detailsOf, detailsOfEnd, isForNow, nextAfter, toMs } from './session-errors.ts';
import { OVERHEAD_BYTES, Sends } from './session-sends.ts';
import { SessionState } from './session-state.ts';

export interface SessionClientOptions {
  /** `host:port` of the gateway. */
  address: string;
  /**
   * A valid access token; asked for at each connection. `wasRefused`: the last one was refused, so refresh
   * it. Undefined when the login is over. Where it rejects it is asked for again later.
   */
  token(wasRefused: boolean): string | undefined | Promise<string | undefined>;
  /** Any stable name of this device. */
  device: string;
  /** The longest time between two tries to connect; default: 10 s. */
  longestBackoffMs?: number;
  /** What an earlier client of this device has kept. Default: nothing, as on a new device. */
  state?: SessionState;
  /**
   * Keeps the state durably; what it covers is acknowledged after that. Called a few times a second, while
   * things come.
   */
  save?(state: SessionState): void | Promise<void>;
  /**
   * New entries, each once, ascending in its conversation. What the promise fulfils on is acknowledged. It
   * must not wait for `send`.
   */
  onEntries(entries: Entry[]): void | Promise<void>;
  onMarks?(marks: Marks[]): void;
  /** Entries that were left out because there were too many: fetch them with ListEntries when somebody wants to see them. */
  onGaps?(gaps: Gap[]): void;
  /** `listInbox`: there are conversations of which nothing was told; ListConversations shows them. */
  onCaughtUp?(listInbox: boolean): void;
  /**
   * The server has another log than before, restored or imported: keep the state and drop what was shown, in
   * one step.
   */
  onAnotherLog?(state: SessionState): void | Promise<void>;
  /**
   * The session is over for good: another one of this device, the login has ended, or a mistake in the
   * client.
   */
  onEnd?(status: StatusObject): void;
  log?(line: string): void;
}

/** The server takes 64 KiB in one message. */
const FRAME_BYTES = 60 * 1024;
/** More acknowledgements and reads than this would not fit into one. */
const PLACES_IN_FRAME = Math.floor(FRAME_BYTES / OVERHEAD_BYTES);
/** Acknowledgements are cumulative, so many messages share one; sends take along what is due. The server saves them four times a second. */
const ACK_DELAY_MS = 100;
const READ_AGAIN_MS = 500;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
/** A session that lasts this long after `caught_up` resets the back-off. */
const STEADY_MS = 10_000;

type Call = ClientDuplexStream<SessionRequest, SessionResponse>;

/**
 * One device's live connection, kept up until it is closed: reconnects with backoff, resumes, sends again
 * with the same client id what was not answered, in its order, sends together what is ready together, and
 * stops writing while the server does not read. Sends without an answer are the app's to keep: after a
 * restart it gives them again, in their order and with their client ids.
 */
export class SessionClient {
  readonly state: SessionState;
  readonly #options: SessionClientOptions;
  readonly #stub: SessionServiceClient;
  readonly #sends = new Sends(() => this.#schedule());
  /** Conversations of which more has arrived than was acknowledged. */
  readonly #arrived = new Set<string>();
  /** What the kept state covers. */
  readonly #acks = new Map<string, Position>();
  readonly #reads = new Map<string, Position>();
  /** Written, and not known to have arrived: the pong of `#pings` will say so. */
  readonly #readsUnderWay = new Map<string, Position>();
  #pings = 0n;
  #call: Call | undefined;
  /** Its first frame has come, so it is known which log it is of. */
  #isOpened = false;
  #caughtUpAt: number | undefined;
  #isFull = false;
  #isScheduled = false;
  #keepTimer: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  #isOver = false;
  #noticeMs = 0;
  /** Frames are taken one after the other. */
  #taking: Promise<void> | undefined;
  readonly #running: Promise<void>;

  constructor(options: SessionClientOptions) {
    this.#options = options;
    this.state = options.state ?? new SessionState();
    this.#stub = new SessionServiceClient(options.address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      // A connection that died without a word is noticed.
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      // Trying again, and the waiting between tries, is ours. Without retries and channelz a message costs a quarter less.
      'grpc.enable_retries': 0,
      'grpc.enable_channelz': 0,
      'grpc.initial_reconnect_backoff_ms': FIRST_BACKOFF_MS,
      'grpc.max_reconnect_backoff_ms': FIRST_BACKOFF_MS,
    });
    this.#running = this.#run();
  }

  /** Sends a text; fulfils when it is committed, however often the connection breaks. Rejects when it is refused for good. */
  send(friend: string, text: string, clientId?: string): Promise<SendResponse> {
    if (this.#isOver) return Promise.reject(new Error('the session is over'));
    return this.#sends.send(friend, text, clientId);
  }

  /** Everything of the conversation up to `seq` has been read. */
  markRead(conversation: string, seq: bigint): void {
    if (seq <= (this.#reads.get(conversation)?.seq ?? 0n)) return;
    this.#reads.set(conversation, { conversation, seq, marksRevision: 0n });
    this.#schedule();
  }

  /** Ends the connection cleanly. Sends without an answer reject. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#taking;
    await this.#keep();
    this.#call?.end();
    await this.#running;
    this.#stop(new Error('the session was closed'));
  }

  #stop(reason: Error): void {
    this.#isOver = true;
    clearTimeout(this.#keepTimer);
    this.#stub.close();
    this.#sends.close(reason);
  }

  async #run(): Promise<void> {
    const { longestBackoffMs = LONGEST_BACKOFF_MS } = this.#options;
    let backoff = FIRST_BACKOFF_MS;
    let wasRefused = false;
    while (!this.#isClosing) {
      this.#noticeMs = 0;
      const end = await this.#connectOnce(wasRefused);
      if (this.#isClosing) return;
      this.#options.log?.(`the session ended: ${end.code} ${end.details}`);
      const details = detailsOfEnd(end);
      const next = nextAfter(end.code, details);
      if (next === 'stop' || end === LOGGED_OUT || (next === 'refresh' && wasRefused)) {
        this.#stop(new Error(`the session is over: ${end.details}`));
        return this.#options.onEnd?.(end);
      }
      wasRefused = next === 'refresh';
      if (this.#wasSteady) backoff = FIRST_BACKOFF_MS;
      // Full jitter, so that all clients of a restarted server do not return as one.
      const wait = next === 'rarely' ? longestBackoffMs : Math.random() * backoff;
      backoff = Math.min(backoff * 2, longestBackoffMs);
      await this.#delay(Math.max(this.#noticeMs, details.retryMs) + wait);
    }
  }

  /** One connection, from its opening to its status. */
  async #connectOnce(wasRefused: boolean): Promise<StatusObject> {
    this.#caughtUpAt = undefined;
    const metadata = new Metadata();
    try {
      const token = await this.#options.token(wasRefused);
      if (token === undefined) return LOGGED_OUT;
      metadata.set('authorization', `Bearer ${token}`);
    } catch (error) {
      return { code: status.UNAVAILABLE, details: `no token: ${error}`, metadata };
    }
    // What came over the last one comes first.
    await this.#taking;
    if (this.#isClosing) return { code: status.CANCELLED, details: 'closed', metadata };
    const call = this.#stub.session(metadata);
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
      if (call !== this.#call) return;
      const taking = this.#take(frame);
      if (taking === undefined) return;
      call.pause();
      this.#taking = taking.then(() => void call.resume());
    });
    this.#open(call);
    return ended;
  }

  #open(call: Call): void {
    this.#call = call;
    this.#isFull = false;
    this.#isOpened = false;
    // They may be of another log; what was not acknowledged comes again.
    this.#arrived.clear();
    this.#acks.clear();
    const { epoch, revision } = this.state;
    this.#write({ open: { device: this.#options.device, revision, epoch } });
    this.#sends.begin();
  }

  /**
   * The parts of a frame, in the order that protocol.md gives. A promise only where the app asks to be waited
   * for.
   */
  #take(frame: SessionResponse): Promise<void> | undefined {
    if (this.#isOpened) return this.#takeNews(frame);
    this.#isOpened = true;
    this.#schedule();
    const underWay = [...this.#readsUnderWay.values()];
    this.#readsUnderWay.clear();
    // A server that sends no epoch is of before it.
    if (frame.opened !== undefined && this.state.takeEpoch(frame.opened.epoch))
      return this.#takeAnotherLog(frame);
    for (const { conversation, seq } of underWay) this.markRead(conversation, seq);
    this.#keepSoon();
    return this.#takeNews(frame);
  }

  async #takeAnotherLog(frame: SessionResponse): Promise<void> {
    this.#reads.clear();
    // The app keeps this state in the step in which it drops what was shown, and not before.
    clearTimeout(this.#keepTimer);
    this.#keepTimer = undefined;
    await this.#options.onAnotherLog?.(this.state);
    await this.#takeNews(frame);
  }

  #takeNews(frame: SessionResponse): Promise<void> | undefined {
    if (frame.gaps.length > 0) {
      this.state.takeGaps(frame.gaps);
      this.#options.onGaps?.(frame.gaps);
    }
    if (frame.entries.length === 0) return this.#takeRest(frame);
    const fresh = frame.entries.filter((entry) => this.state.isNew(entry));
    const shown = fresh.length === 0 ? undefined : this.#options.onEntries(fresh);
    return shown === undefined ? this.#takeRest(frame) : shown.then(() => this.#takeRest(frame));
  }

  /** What counts only after the entries were shown. */
  #takeRest({ entries, results, marks, refusedReads, caughtUp, pong, notice }: SessionResponse): undefined {
    // A repeat too is acknowledged: the server does not know that it has arrived.
    for (const { conversation, seq } of entries) this.#arrive(conversation, seq);
    for (const result of results) {
      // Everything before it has come. A server of before the attempts counts none, and does not promise
      // that.
      if (result.sent !== undefined && result.attempt > 0n)
        this.#arrive(result.conversation, result.sent.seq);
      this.#sends.answer(result);
    }
    if (marks.length > 0) {
      this.state.takeMarks(marks);
      this.#options.onMarks?.(marks);
      this.#keepSoon();
    }
    for (const refused of refusedReads) this.#takeRefusedRead(refused);
    if (caughtUp !== undefined) {
      this.#caughtUpAt = performance.now();
      this.state.takeRevision(caughtUp.revision);
      this.#options.onCaughtUp?.(caughtUp.listInbox);
    }
    if (pong?.number === this.#pings) this.#readsUnderWay.clear();
    if (notice !== undefined) this.#noticeMs = toMs(notice.retryAfter);
  }

  #takeRefusedRead({ conversation, seq, error }: RefusedRead): void {
    if (error === undefined || !isForNow(error.code)) return;
    const wait = Math.max(detailsOf(error.details).retryMs, READ_AGAIN_MS);
    setTimeout(() => this.markRead(conversation, seq), wait).unref();
  }

  #arrive(conversation: string, seq: bigint): void {
    this.state.reach(conversation, seq);
    this.#arrived.add(conversation);
    this.#keepSoon();
  }

  #keepSoon(): void {
    this.#keepTimer ??= setTimeout(() => void this.#keep(), ACK_DELAY_MS);
  }

  /** Keeps the state where the app wants to, then acknowledges what it covers. */
  async #keep(): Promise<void> {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = undefined;
    const { save } = this.#options;
    if (save !== undefined) {
      const call = this.#call;
      const covered = this.#takeArrived();
      await save(this.state);
      if (call !== this.#call) return;
      for (const position of covered) this.#acks.set(position.conversation, position);
    }
    this.#flush();
  }

  #takeArrived(): Position[] {
    const positions = Array.from(this.#arrived, (conversation) => this.state.position(conversation));
    this.#arrived.clear();
    return positions;
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
    while (this.#call !== undefined && !this.#isFull && this.#hasUnsent) this.#write(this.#nextFrame());
  }

  get #hasUnsent(): boolean {
    if (this.#sends.hasUnsent) return true;
    const hasAcks = this.#acks.size > 0 || (this.#arrived.size > 0 && this.#options.save === undefined);
    return this.#isOpened && (hasAcks || this.#reads.size > 0);
  }

  /** As much as fits into one frame. */
  #nextFrame(): Partial<SessionRequest> {
    if (!this.#isOpened) return { sends: this.#sends.take(FRAME_BYTES) };
    if (this.#options.save === undefined)
      for (const position of this.#takeArrived()) this.#acks.set(position.conversation, position);
    const acks = takeSome(this.#acks, PLACES_IN_FRAME);
    const reads = takeSome(this.#reads, PLACES_IN_FRAME - acks.length);
    for (const read of reads) this.#readsUnderWay.set(read.conversation, read);
    const ping = reads.length === 0 ? undefined : { number: ++this.#pings };
    const sends = this.#sends.take(FRAME_BYTES - (acks.length + reads.length) * OVERHEAD_BYTES);
    return { sends, acks, reads, ping };
  }

  #write(part: Partial<SessionRequest>): void {
    const frame = { ...EMPTY, attempt: this.#sends.attempt, ...part };
    if (this.#call?.write(frame) === false) this.#isFull = true;
  }

  get #wasSteady(): boolean {
    return this.#caughtUpAt !== undefined && performance.now() - this.#caughtUpAt >= STEADY_MS;
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Ends early when the client is closed. */
  async #delay(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#closing.signal }).catch(() => {});
  }
}

const LOGGED_OUT: StatusObject = {
  code: status.UNAUTHENTICATED,
  details: 'the login is over',
  metadata: new Metadata(),
};

const EMPTY = {
  open: undefined,
  positions: [],
  sends: [],
  acks: [],
  reads: [],
  ping: undefined,
  morePositions: false,
};

function takeSome(places: Map<string, Position>, limit: number): Position[] {
  const taken: Position[] = [];
  for (const [conversation, place] of places) {
    if (taken.length === limit) break;
    taken.push(place);
    places.delete(conversation);
  }
  return taken;
}
