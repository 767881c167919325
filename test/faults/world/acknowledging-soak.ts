import { setTimeout as delay } from 'node:timers/promises';
import { type Account, registerAll } from '../../outside/http.ts';
import { AcknowledgingReader } from './acknowledging-reader.ts';
import { openChat, openSession } from './device-streams.ts';
import { Senders } from './senders.ts';

export interface SoakCounts {
  streams: number;
  messages: number;
  /** Entries, on all streams. */
  delivered: number;
  acknowledgements: number;
  /** Streams that ended unasked: how many with each status. */
  ends: Record<string, number>;
  repeats: number;
  holes: number;
  /** Acknowledged to their senders and never delivered, on devices whose streams have not ended. */
  missed: number;
  refused: number;
}

const READERS = 50;
/** Of each reader: two of each contract, spread over the nodes. */
const DEVICES = 4;
const WRITERS = 5;
/** To each reader there are two messages in so many ms, one at each node. */
const PAUSE_MS = 200;
/** The devices of three readers in four open a new stream after so many entries. */
const REOPEN_AFTER = 5;
const LOOK_EVERY_MS = 20;
const CATCH_UP_MS = 60_000;

/** 50 people to whom others write, 500 messages a second in all at most. Their 200 devices only acknowledge what they get. */
export class AcknowledgingSoak implements AsyncDisposable {
  readonly #nodes: readonly string[];
  readonly #readers: AcknowledgingReader[] = [];
  /** Who writes to each reader. */
  readonly #senders = new Map<AcknowledgingReader, Senders>();

  private constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  /** Registers everybody at `url` and opens the devices; then the writers begin. */
  static async start(url: string, nodes: readonly string[]): Promise<AcknowledgingSoak> {
    const names = Array.from({ length: WRITERS + READERS }, (_, i) => `person${i}`);
    const people = await registerAll(url, names);
    const readers = people.slice(WRITERS);
    const soak = new AcknowledgingSoak(nodes);
    const devices = readers.map((reader, i) => soak.#openDevices(reader, i % 4 !== 0));
    await Promise.all(soak.#readers.map((reader) => reader.opened()));
    for (const [i, account] of readers.entries())
      soak.#write(people[i % WRITERS] as Account, account, devices[i] ?? []);
    return soak;
  }

  /** Once so many more entries were delivered, or no stream is left to deliver to. */
  async deliver(count: number): Promise<void> {
    for (const goal = this.#delivered + count; this.#delivered < goal; await delay(LOOK_EVERY_MS))
      if (this.#readers.every(({ end }) => end !== undefined)) return;
  }

  /** Lets all that was sent arrive, ends the streams, and counts. */
  async finish(): Promise<SoakCounts> {
    const senders = new Set(this.#senders.values());
    for (const one of senders) await one[Symbol.asyncDispose]();
    await this.#untilAllArrived();
    await this[Symbol.asyncDispose]();
    const ends = Map.groupBy(this.#readers, ({ end }) => end ?? '');
    ends.delete('');
    return {
      streams: this.#sum(({ streams }) => streams),
      messages: senders.values().reduce((sum, { acked }) => sum + acked.length, 0),
      delivered: this.#delivered,
      acknowledgements: this.#sum(({ acknowledgements }) => acknowledgements),
      ends: Object.fromEntries(ends.entries().map(([end, readers]) => [end, readers.length])),
      repeats: this.#sum(({ repeats }) => repeats),
      holes: this.#sum(({ holes }) => holes),
      missed: this.#sum((reader) => this.#missedBy(reader)),
      refused: senders.values().reduce((sum, { refused }) => sum + refused.length, 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#senders.values().map((senders) => senders[Symbol.asyncDispose]()));
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }

  get #delivered(): number {
    return this.#sum(({ delivered }) => delivered);
  }

  #sum(count: (reader: AcknowledgingReader) => number): number {
    return this.#readers.reduce((sum, reader) => sum + count(reader), 0);
  }

  #openDevices(account: Account, reopens: boolean): AcknowledgingReader[] {
    const devices = Array.from({ length: DEVICES }, (_, i) => {
      const open = i % 2 === 0 ? openSession : openChat;
      const url = this.#nodes[Math.floor(i / 2) % this.#nodes.length] ?? '';
      const reopenAfter = reopens ? REOPEN_AFTER : Number.POSITIVE_INFINITY;
      return new AcknowledgingReader({ open, url, account, device: `device${i}`, reopenAfter });
    });
    this.#readers.push(...devices);
    return devices;
  }

  #write(writer: Account, { username }: Account, devices: AcknowledgingReader[]): void {
    const [one = '', other = one] = this.#nodes;
    const senders = new Senders([one, other], writer, username, { pauseMs: PAUSE_MS });
    for (const device of devices) this.#senders.set(device, senders);
  }

  #missedBy(reader: AcknowledgingReader): number {
    const sent = this.#senders.get(reader)?.acked.length ?? 0;
    return reader.end === undefined ? Math.max(0, sent - reader.seq) : 0;
  }

  async #untilAllArrived(): Promise<void> {
    for (const end = performance.now() + CATCH_UP_MS; performance.now() < end; await delay(LOOK_EVERY_MS))
      if (this.#readers.every((reader) => this.#missedBy(reader) === 0)) return;
  }
}
