import type { Account } from '../../outside/http.ts';
import type { Arrival, DeviceStream, Open } from './device-streams.ts';

export interface ReaderOptions {
  open: Open;
  url: string;
  account: Account;
  device: string;
  /** Half-closes after so many entries, and opens again. Default: never. */
  reopenAfter?: number;
}

/**
 * A device of one conversation that does nothing but acknowledge: each frame when it comes, and the greatest marks revision with it.
 * It does not come back when its stream ends unasked.
 */
export class AcknowledgingReader {
  streams = 0;
  /** Entries that came. */
  delivered = 0;
  acknowledgements = 0;
  /** The last entry that came. */
  seq = 0;
  /** Entries that had come before in the same stream, or were acknowledged before it. */
  repeats = 0;
  /** Entries that were left out, told of or not. */
  holes = 0;
  /** The status of a stream that ended before it was asked to, or with an error. */
  end: string | undefined;
  readonly #options: Required<ReaderOptions>;
  readonly #running: Promise<void>;
  #stream: DeviceStream;
  #acknowledged = 0;
  #marksRevision = 0;
  #isHalfClosed = false;
  #isOver = false;

  constructor(options: ReaderOptions) {
    this.#options = { reopenAfter: Number.POSITIVE_INFINITY, ...options };
    this.#stream = this.#open();
    this.#running = this.#run();
  }

  /** Fulfils when the server has accepted the stream, or ended it. */
  async opened(): Promise<void> {
    await Promise.race([this.#stream.opened, this.#stream.ended]);
  }

  /** Ends the stream by a half-close. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.#halfClose();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (;;) {
      const { code, details } = await this.#stream.ended;
      if (code !== 0 || !this.#isHalfClosed) this.end = `${code} ${details}`;
      if (this.#isOver || this.end !== undefined) return;
      this.#stream = this.#open();
    }
  }

  /** What comes is what was not acknowledged. */
  #open(): DeviceStream {
    const { open, url, account, device, reopenAfter } = this.#options;
    this.streams++;
    this.seq = this.#acknowledged;
    this.#isHalfClosed = false;
    const last = this.seq + reopenAfter;
    return open(url, account, device, (arrival) => {
      this.#take(arrival);
      if (this.seq >= last) this.#halfClose();
    });
  }

  #halfClose(): void {
    if (this.#isHalfClosed) return;
    this.#isHalfClosed = true;
    this.#stream.halfClose();
  }

  #take({ conversation, seqs, gaps, marksRevision }: Arrival): void {
    for (const seq of seqs) this.#takeEntry(seq);
    this.holes += gaps;
    const hasNewMarks = marksRevision > this.#marksRevision;
    if (hasNewMarks) this.#marksRevision = marksRevision;
    // An acknowledgement names an entry.
    if (this.#isHalfClosed || this.seq === 0) return;
    if (seqs.length > 0 || hasNewMarks) this.#acknowledge(conversation);
  }

  #takeEntry(seq: number): void {
    this.delivered++;
    if (seq <= this.seq) this.repeats++;
    if (seq > this.seq + 1) this.holes++;
    this.seq = Math.max(this.seq, seq);
  }

  #acknowledge(conversation: string): void {
    this.acknowledgements++;
    this.#acknowledged = this.seq;
    this.#stream.acknowledge({ conversation, seq: this.seq, marksRevision: this.#marksRevision });
  }
}
