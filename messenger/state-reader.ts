import type { Marks, MessageStore, Range } from './ports.ts';

/** Where a reader of state hands what it has: one device's stream. */
export interface StateSink {
  /** Takes marks, all of them in one frame. False: full, take no more until `resume`. */
  writeMarks(marks: Marks[]): boolean;
  /** Everything that had changed at the opening has been written. Called once. */
  stateCaughtUp(): void;
  /** The store could not be read; the reader has stopped. */
  failed(error: unknown): void;
}

/** The state that a device has. */
export interface StateStart {
  /** The user's revision that the device has, and the one at the opening. */
  taken: number;
  revision: number;
  /** The revisions of each conversation's marks: what the device has, 0 for nothing, and what is there. */
  conversations: Iterable<{ conversation: string; marksTaken: number; marksRevision: number }>;
}

/** The store, as a reader of state reads it. The signal says that the answer is of no use any more. */
export interface StateSource {
  stateAfter(user: string, revision: number, signal?: AbortSignal): ReturnType<MessageStore['stateAfter']>;
  marksAfter(ranges: readonly Range[], signal?: AbortSignal): ReturnType<MessageStore['marksAfter']>;
}

const CONVERSATIONS_AT_ONCE = 100;

/**
 * What the log's reader is to entries, for marks: a hint only wakes it, and it reads on from what the device has, in the order of revisions. A
 * mark goes on from memory only where its revision is the very next one of its conversation. A revision of the user is told only when
 * everything up to it was written, so the greatest one told is a safe place to go on from.
 */
export class StateReader {
  readonly #user: string;
  readonly #source: StateSource;
  readonly #sink: StateSink;
  /** The revision of each conversation's marks that the device has been told. */
  readonly #told = new Map<string, number>();
  /** The conversations of whose marks more is known than told. */
  readonly #behind = new Set<string>();
  /** Those among them that were so at the opening. */
  readonly #missed = new Set<string>();
  /** The user's revision: told, known, and known at the opening. */
  #revision = 0;
  #known = 0;
  #atOpening = 0;
  #state: 'loading' | 'catching-up' | 'live' | 'closed' = 'loading';
  #isFull = false;
  #reading: AbortController | undefined;

  constructor(user: string, source: StateSource, sink: StateSink) {
    this.#user = user;
    this.#source = source;
    this.#sink = sink;
  }

  /** Starts from what the device has. More than there is means another log: then it has nothing. */
  start({ taken, revision, conversations }: StateStart): void {
    if (this.#state !== 'loading') return;
    this.#revision = taken > revision ? 0 : taken;
    this.#known = Math.max(this.#known, revision);
    this.#atOpening = revision;
    for (const { conversation, marksTaken, marksRevision } of conversations) {
      const told = marksTaken > marksRevision ? 0 : marksTaken;
      this.#told.set(conversation, told);
      if (told < marksRevision) this.#behind.add(conversation);
    }
    for (const conversation of this.#behind) this.#missed.add(conversation);
    this.#state = 'catching-up';
    this.#read();
  }

  /** Takes note of marks that moved, of any member of the user's conversations. */
  push(marks: readonly Marks[]): void {
    if (this.#state === 'closed') return;
    const next = marks.filter((mark) => this.#takeNote(mark));
    if (next.length > 0 && !this.#sink.writeMarks(next.map((mark) => this.#toTell(mark))))
      this.#isFull = true;
    this.#read();
  }

  /** The sink has room again. */
  resume(): void {
    this.#isFull = false;
    this.#read();
  }

  close(): void {
    this.#state = 'closed';
    this.#reading?.abort();
  }

  /** True where the mark may go on from memory; else it is read. */
  #takeNote({ conversation, member, revision, marksRevision }: Marks): boolean {
    const told = this.#told.get(conversation) ?? 0;
    const isOwnNews = member === this.#user && revision > this.#revision;
    if (isOwnNews) this.#known = Math.max(this.#known, revision);
    // A node of an earlier version gives its marks no revision: all of the conversation are told again.
    if (!marksRevision) this.#told.set(conversation, 0);
    else if (marksRevision <= told) return false;
    const isNext = marksRevision === told + 1 && !this.#behind.has(conversation);
    // One's own news is read in the order of the user's revisions.
    if (this.#state === 'live' && isNext && !isOwnNews && !this.#isFull) {
      this.#told.set(conversation, marksRevision);
      return true;
    }
    this.#behind.add(conversation);
    return false;
  }

  /** One loop at a time reads what is behind, until nothing is or the sink is full. */
  async #read(): Promise<void> {
    if (this.#reading !== undefined || this.#state === 'loading') return;
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    try {
      while (!this.#isFull && !this.#isClosed() && this.#hasMore) {
        // What was there at the opening comes first, however much changes by then.
        if (this.#known > this.#revision && (this.#revision < this.#atOpening || this.#missed.size === 0))
          await this.#readOwn(signal);
        else await this.#readConversations(signal);
        this.#endOpening();
      }
      this.#endOpening();
    } catch (error) {
      if (this.#isClosed()) return;
      this.close();
      this.#sink.failed(error);
    } finally {
      this.#reading = undefined;
    }
  }

  get #hasMore(): boolean {
    return this.#known > this.#revision || this.#behind.size > 0;
  }

  async #readOwn(signal: AbortSignal): Promise<void> {
    const before = this.#known;
    const { marks, revision } = await this.#source.stateAfter(this.#user, this.#revision, signal);
    if (this.#isClosed()) return;
    // Known to no store any more, where the hint came from before a restore.
    if (marks.length === 0 && this.#known === before) this.#known = revision;
    this.#revision = Math.max(this.#revision, revision);
    this.#write(marks);
  }

  async #readConversations(signal: AbortSignal): Promise<void> {
    const wanted = this.#missed.size > 0 ? this.#missed : this.#behind;
    const conversations = Iterator.from(wanted).take(CONVERSATIONS_AT_ONCE).toArray();
    // What is pushed while they are read is not in the answer, and makes them wait again.
    for (const conversation of conversations) this.#behind.delete(conversation);
    const ranges = conversations.map((conversation) => ({
      conversation,
      after: this.#told.get(conversation) ?? 0,
    }));
    const marks = await this.#source.marksAfter(ranges, signal);
    if (this.#isClosed()) return;
    for (const { conversation, marksRevision } of marks)
      this.#told.set(conversation, Math.max(marksRevision, this.#told.get(conversation) ?? 0));
    for (const conversation of conversations) this.#missed.delete(conversation);
    this.#write(marks);
  }

  #write(marks: Marks[]): void {
    const moved = marks.filter(({ readSeq, deliveredSeq }) => readSeq > 0 || deliveredSeq > 0);
    if (moved.length === 0) return;
    if (!this.#sink.writeMarks(moved.map((mark) => this.#toTell(mark)))) this.#isFull = true;
  }

  /** With revisions that are safe to go on from: everything up to them was written. */
  #toTell(mark: Marks): Marks {
    const revision = mark.member === this.#user ? Math.min(mark.revision, this.#revision) : mark.revision;
    const marksRevision = Math.min(mark.marksRevision, this.#told.get(mark.conversation) ?? 0);
    return { ...mark, revision, marksRevision };
  }

  #endOpening(): void {
    if (this.#state !== 'catching-up' || this.#missed.size > 0 || this.#revision < this.#atOpening) return;
    this.#state = 'live';
    this.#sink.stateCaughtUp();
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}
