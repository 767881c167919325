import { setTimeout as delay } from 'node:timers/promises';
import { metadataOf, type SessionFrame, sessionStub } from '../../outside/grpc.ts';
import type { Account } from '../../outside/http.ts';

type Entry = SessionFrame['entries'][number];

const RECONNECT_MS = 100;

/**
 * A device without any cleverness: counts what its session brings, repeats included, acknowledges it, and connects again when the session
 * ends. Follows conversations from their first entry.
 */
export class RawReader implements AsyncDisposable {
  read = 0;
  /** Entries that had come before. */
  repeats = 0;
  /** Entries that came after a later one in the same connection. */
  reordered = 0;
  /** Entries that came before the one before them ever had. */
  gaps = 0;
  connections = 0;
  readonly #stub: ReturnType<typeof sessionStub>;
  readonly #account: Account;
  readonly #device: string;
  readonly #saw: (entry: Entry) => void;
  readonly #last = new Map<string, number>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #running: Promise<void>;
  #end = () => {};
  #isOver = false;

  private constructor(url: string, account: Account, device: string, saw: (entry: Entry) => void) {
    this.#stub = sessionStub(url);
    this.#account = account;
    this.#device = device;
    this.#saw = saw;
    this.#running = this.#run();
  }

  /** `saw` hears of each entry, repeats too. */
  static async open(
    url: string,
    account: Account,
    device: string,
    saw: (entry: Entry) => void,
  ): Promise<RawReader> {
    const reader = new RawReader(url, account, device, saw);
    await reader.#opened.promise;
    return reader;
  }

  /** The last seq that it has of a conversation. */
  lastOf(conversation: string): number {
    return this.#last.get(conversation) ?? 0;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.#connectOnce();
      if (!this.#isOver) await delay(RECONNECT_MS * Math.random());
    }
  }

  #connectOnce(): Promise<void> {
    this.connections++;
    const call = this.#stub.Session(metadataOf(this.#account));
    const inThisOne = new Map<string, number>();
    this.#end = () => call.end();
    call.on('data', (frame: SessionFrame) => {
      this.gaps += frame.gaps.length;
      for (const entry of frame.entries) this.#take(entry, inThisOne);
      if (frame.entries.length > 0) call.write({ acks: toAcks(frame.entries) });
      if (frame.caught_up !== null) this.#opened.resolve();
    });
    call.on('error', () => {});
    call.write({ open: { device: this.#device } });
    return new Promise((resolve) => call.on('status', () => resolve()));
  }

  #take(entry: Entry, inThisOne: Map<string, number>): void {
    const { conversation } = entry;
    const seq = Number(entry.seq);
    const last = this.lastOf(conversation);
    this.read++;
    if (seq <= (inThisOne.get(conversation) ?? 0)) this.reordered++;
    inThisOne.set(conversation, seq);
    if (seq <= last) this.repeats++;
    if (seq > last + 1) this.gaps++;
    this.#last.set(conversation, Math.max(seq, last));
    this.#saw(entry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#end();
    await this.#running;
    this.#stub.close();
  }
}

/** Cumulative: the last of each conversation. */
function toAcks(entries: Entry[]): { conversation: string; seq: string }[] {
  const last = new Map(entries.map(({ conversation, seq }) => [conversation, seq]));
  return Array.from(last, ([conversation, seq]) => ({ conversation, seq }));
}
