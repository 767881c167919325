import type { Entry, MessageStore, Position, Range } from './ports.ts';

/** Where a reader hands its entries: one device's stream. */
export interface Sink {
  /** Takes entries of one or more conversations, ascending within each. False: full, take no more until `resume`. */
  write(entries: Entry[]): boolean;
  /** Everything up to the moment of opening has been written. Called once. */
  caughtUp(): void;
  /** The log could not be read; the reader has stopped. */
  failed(error: unknown): void;
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
  readonly #store: Pick<MessageStore, 'entries'>;
  readonly #sink: Sink;
  readonly #places = new Map<string, Place>();
  /** The conversations in which more is known than written. */
  readonly #behind = new Set<string>();
  #state: 'loading' | 'catching-up' | 'live' | 'closed' = 'loading';
  #isFull = false;
  #isReading = false;

  constructor(store: Pick<MessageStore, 'entries'>, sink: Sink) {
    this.#store = store;
    this.#sink = sink;
  }

  /** Starts from these positions; entries pushed before are not lost. */
  start(positions: Position[]): void {
    if (this.#state !== 'loading') return;
    for (const { conversation, lastSeq, cursor } of positions) {
      const known = Math.max(lastSeq, this.#places.get(conversation)?.known ?? 0);
      this.#places.set(conversation, { written: cursor, known });
      if (known > cursor) this.#behind.add(conversation);
    }
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
  announce({ conversation, lastSeq }: Pick<Position, 'conversation' | 'lastSeq'>): boolean {
    const place = this.#place(conversation);
    if (this.#state === 'closed' || lastSeq <= place.known) return false;
    place.known = lastSeq;
    if (place.known > place.written) this.#behind.add(conversation);
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
   * Returns false when there is no such entry in a conversation of this user.
   */
  skip(conversation: string, seq: number): boolean {
    const place = this.#places.get(conversation);
    if (place === undefined || seq > place.known) return false;
    place.written = Math.max(place.written, seq);
    if (place.written >= place.known) this.#behind.delete(conversation);
    return true;
  }

  close(): void {
    this.#state = 'closed';
  }

  #place(conversation: string): Place {
    const place = this.#places.get(conversation) ?? { written: 0, known: 0 };
    this.#places.set(conversation, place);
    return place;
  }

  #write(entries: Entry[]): void {
    for (const { conversation, seq } of entries) {
      const place = this.#place(conversation);
      place.written = Math.max(place.written, seq);
      if (place.written >= place.known) this.#behind.delete(conversation);
    }
    if (!this.#sink.write(entries)) this.#isFull = true;
  }

  /** One loop at a time reads whatever is behind, until nothing is or the sink is full. */
  async #read(): Promise<void> {
    if (this.#isReading || this.#state === 'loading') return;
    this.#isReading = true;
    try {
      while (this.#behind.size > 0 && !this.#isFull && this.#state !== 'closed') {
        const entries = await this.#store.entries(this.#ranges(), ENTRIES_AT_ONCE);
        if (this.#isClosed()) return;
        if (entries.length === 0) throw new Error('the log does not hold what was announced');
        this.#write(entries.filter((entry) => entry.seq > this.#place(entry.conversation).written));
      }
      if (this.#behind.size === 0 && this.#state === 'catching-up') {
        this.#state = 'live';
        this.#sink.caughtUp();
      }
    } catch (error) {
      this.close();
      this.#sink.failed(error);
    } finally {
      this.#isReading = false;
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #ranges(): Range[] {
    return Array.from(this.#behind)
      .slice(0, CONVERSATIONS_AT_ONCE)
      .map((conversation) => ({ conversation, after: this.#place(conversation).written }));
  }
}

interface Place {
  /** The last seq that the sink took. */
  written: number;
  /** The last seq that is known to exist. */
  known: number;
}
