import { ServiceError } from '#common/errors.ts';
import type { Entry, Head, MessageStore, Range } from './ports.ts';

/** Where a reader hands its entries: one device's stream. */
export interface Sink {
  /** Takes entries of one or more conversations, ascending within each. False: full, take no more until `resume`. */
  write(entries: Entry[]): boolean;
  /** Everything that was known at the opening has been written. Called once. */
  caughtUp(): void;
  /** The log could not be read; the reader has stopped. */
  failed(error: unknown): void;
}

/** Where a device begins in a conversation: after `cursor`. */
export interface Start extends Head {
  cursor: number;
}

/** The log, as a reader reads it. The signal says that the answer is of no use any more. */
export interface EntrySource {
  entries(ranges: Range[], maxEntries: number, signal?: AbortSignal): ReturnType<MessageStore['entries']>;
}

const ENTRIES_AT_ONCE = 500;
const CONVERSATIONS_AT_ONCE = 100;

/**
 * A cursor on the log for one device: first what it has missed, conversation by conversation, then what arrives.
 * The log is the truth and a push is a hint: an entry goes on from memory only where it is the very next one and the sink
 * has room. Otherwise the reader just notes how far the conversation goes and reads on from the log when the sink drains.
 * So it holds two numbers for each conversation, and never an entry.
 */
export class Reader {
  readonly #source: EntrySource;
  readonly #sink: Sink;
  readonly #places = new Map<string, Place>();
  /** The conversations in which more is known than written. */
  readonly #behind = new Set<string>();
  /** What was known at the opening and is not written yet: the last seq of each conversation. */
  readonly #missed = new Map<string, number>();
  #state: 'loading' | 'catching-up' | 'live' | 'closed' = 'loading';
  #isFull = false;
  #reading: AbortController | undefined;

  constructor(source: EntrySource, sink: Sink) {
    this.#source = source;
    this.#sink = sink;
  }

  /** Starts from these places; entries pushed before are not lost. */
  start(starts: Iterable<Start>): void {
    if (this.#state !== 'loading') return;
    for (const { conversation, lastSeq, cursor } of starts) {
      const known = Math.max(lastSeq, this.#places.get(conversation)?.known ?? 0);
      this.#places.set(conversation, { written: cursor, known });
      this.#noteIfBehind(conversation);
    }
    for (const conversation of this.#behind) this.#missed.set(conversation, this.#place(conversation).known);
    this.#state = 'catching-up';
    this.#read();
  }

  /** Takes note of committed entries of one conversation, ascending without holes. */
  push(entries: Entry[]): void {
    const [first] = entries;
    const last = entries.at(-1);
    if (first === undefined || last === undefined || this.#state === 'closed') return;
    const place = this.#place(first.conversation);
    const isNext = place.written + 1 === first.seq && !this.#behind.has(first.conversation);
    place.known = Math.max(place.known, last.seq);
    if (this.#state === 'live' && isNext && !this.#isFull) {
      place.written = last.seq;
      if (!this.#sink.write(entries)) this.#isFull = true;
    } else if (place.known > place.written) {
      this.#behind.add(first.conversation);
      this.#read();
    }
  }

  /** Takes note that a conversation goes up to `lastSeq`. False where that was known. */
  announce({ conversation, lastSeq }: Head): boolean {
    const place = this.#place(conversation);
    if (this.#state === 'closed' || lastSeq <= place.known) return false;
    place.known = lastSeq;
    this.#noteIfBehind(conversation);
    this.#read();
    return true;
  }

  /** The sink has room again. */
  resume(): void {
    this.#isFull = false;
    this.#read();
  }

  /**
   * The device says that it has everything up to `seq`; what lies there is not written any more.
   * False, and nothing is changed, where the conversation is not known to go so far: the log knows.
   */
  skip(conversation: string, seq: number): boolean {
    const place = this.#places.get(conversation);
    if (place === undefined || seq > place.known) return false;
    if (seq > place.written) this.#reach(conversation, place, seq);
    this.#endOpening();
    return true;
  }

  /** Whether everything of the conversation up to `seq` was written or skipped. */
  isPast(conversation: string, seq: number): boolean {
    return seq <= (this.#places.get(conversation)?.written ?? 0);
  }

  /** Begins a conversation again, after `cursor`, wherever it was. */
  restart({ conversation, lastSeq, cursor }: Start): void {
    const place = this.#place(conversation);
    place.known = Math.max(place.known, lastSeq);
    place.written = cursor;
    this.#noteIfBehind(conversation);
    this.#read();
  }

  close(): void {
    this.#state = 'closed';
    this.#reading?.abort();
  }

  #place(conversation: string): Place {
    const known = this.#places.get(conversation);
    if (known !== undefined) return known;
    const place = { written: 0, known: 0 };
    this.#places.set(conversation, place);
    return place;
  }

  #noteIfBehind(conversation: string): void {
    const { known, written } = this.#place(conversation);
    if (known > written) this.#behind.add(conversation);
    else this.#behind.delete(conversation);
  }

  #reach(conversation: string, place: Place, seq: number): void {
    place.written = seq;
    // An entry may be read before anything has told of it.
    place.known = Math.max(place.known, seq);
    // At the end of the line: a conversation that grows as fast as it is read does not keep the others waiting.
    this.#behind.delete(conversation);
    if (place.known > seq) this.#behind.add(conversation);
    if (seq >= (this.#missed.get(conversation) ?? Number.POSITIVE_INFINITY))
      this.#missed.delete(conversation);
  }

  /** Only what comes next in its conversation: what was skipped or begun again while it was read is out of order by now. */
  #write(entries: Entry[]): void {
    const next = entries.filter(({ conversation, seq }) => {
      const place = this.#place(conversation);
      if (seq !== place.written + 1) return false;
      this.#reach(conversation, place, seq);
      return true;
    });
    if (next.length > 0 && !this.#sink.write(next)) this.#isFull = true;
  }

  /** One loop at a time reads what is behind, until nothing is or the sink is full. */
  async #read(): Promise<void> {
    if (this.#reading !== undefined || this.#state === 'loading') return;
    const reading = new AbortController();
    this.#reading = reading;
    try {
      while (!this.#isFull && !this.#isClosed()) {
        const ranges = this.#ranges();
        if (ranges.length === 0) break;
        const entries = await this.#source.entries(ranges, ENTRIES_AT_ONCE, reading.signal);
        if (this.#isClosed()) return;
        this.#write(entries);
        this.#requireProgress(ranges);
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

  /** A log that does not hold what was told of is one that is behind, or that was restored: another one may hold it. */
  #requireProgress(ranges: Range[]): void {
    if (ranges.some(({ conversation, after }) => this.#place(conversation).written !== after)) return;
    throw new ServiceError('UNAVAILABLE', {
      retryAfterMs: 1_000,
      cause: new Error('the log does not hold what was announced'),
    });
  }

  #endOpening(): void {
    if (this.#state !== 'catching-up' || this.#missed.size > 0) return;
    this.#state = 'live';
    this.#sink.caughtUp();
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** What was missed comes first, however much arrives by then. */
  #ranges(): Range[] {
    const wanted = this.#missed.size > 0 ? this.#missed.keys() : this.#behind;
    return Iterator.from(wanted)
      .take(CONVERSATIONS_AT_ONCE)
      .map((conversation) => ({ conversation, after: this.#place(conversation).written }))
      .toArray();
  }
}

interface Place {
  /** The last seq that the sink took. */
  written: number;
  /** The last seq that is known to exist. */
  known: number;
}
