import { setTimeout as delay } from 'node:timers/promises';
import { SessionClient } from '../../../docs/examples/session-client.ts';
import { addressOf, chatStub, unary } from '../../outside/grpc.ts';
import type { Account } from '../../outside/http.ts';
import { Ledger, textOf } from './ledger.ts';
import { type Logged, readLog } from './log.ts';
import { RawReader } from './raw-reader.ts';

export interface Counts {
  acked: number;
  /** Calls that were answered once more, on purpose, and sends that were made again after a failure. */
  repeatedSends: number;
  entries: number;
  /** Entries shown, on all devices. */
  read: number;
  repeats: number;
  lost: number;
  missed: number;
  reordered: number;
  gaps: number;
  twoContents: number;
  twoSeqs: number;
}

const IN_FLIGHT = 3;
const PAUSE_MS = 50;
const RETRY_MS = 100;
/** Each so many calls the call is made once more. */
const AGAIN_EVERY = 10;
const CATCH_UP_MS = 60_000;

/**
 * Two people who write to each other all the time: each from a session with some sends in flight and by unary calls, each with another
 * device that only reads. Every send is made again, with its client id, until it is acknowledged.
 */
export class Pair {
  readonly #url: string;
  readonly #people: readonly [Account, Account];
  readonly #ledger = new Ledger();
  readonly #clients: SessionClient[] = [];
  readonly #readers: RawReader[] = [];
  /** What each person's sending device was shown, by seq. */
  readonly #shown: boolean[][] = [[], []];
  #conversation = '';
  #shownCount = 0;
  #shownReordered = 0;
  #repeatedSends = 0;
  #contradictions = 0;
  #number = 0;
  #running: Promise<unknown> = Promise.resolve();
  #isOver = false;

  private constructor(url: string, people: readonly [Account, Account]) {
    this.#url = url;
    this.#people = people;
  }

  /** Opens their devices, then they begin. */
  static async start(url: string, people: readonly [Account, Account]): Promise<Pair> {
    const pair = new Pair(url, people);
    const openings = people.map(async (person, i) => {
      await pair.#openClient(person, i);
      const saw = ({
        seq,
        client_id,
        message,
      }: {
        seq: string;
        client_id: string;
        message: { text: string };
      }) => pair.#ledger.saw(Number(seq), client_id, message.text);
      pair.#readers.push(await RawReader.open(url, person, 'reader', saw));
    });
    await Promise.all(openings);
    pair.#running = Promise.all([
      ...people.flatMap((_, i) => Array.from({ length: IN_FLIGHT }, () => pair.#sendBySession(i))),
      pair.#sendByCalls(),
    ]);
    pair.#running.catch(() => {});
    return pair;
  }

  get acked(): number {
    return this.#ledger.acked;
  }

  /** Lets what is in flight be acknowledged and shown everywhere, ends the devices, and counts. */
  async finish(): Promise<Counts> {
    this.#isOver = true;
    await this.#running;
    const log = await readLog(this.#url, this.#people[0], this.#conversation);
    await this.#caughtUp(log.length);
    await this.close();
    const audit = this.#ledger.audit(log);
    const sum = (count: (reader: RawReader) => number) =>
      this.#readers.reduce((total, reader) => total + count(reader), 0);
    return {
      acked: this.acked,
      repeatedSends: this.#repeatedSends,
      entries: log.length,
      read: sum(({ read }) => read) + this.#shownCount,
      repeats: sum(({ repeats }) => repeats),
      lost: audit.lost,
      missed: this.#missedBySenders(log) + sum((reader) => log.length - reader.lastOf(this.#conversation)),
      reordered: sum(({ reordered }) => reordered) + this.#shownReordered,
      gaps: audit.gaps + sum(({ gaps }) => gaps),
      twoContents: audit.twoContents,
      twoSeqs: audit.twoSeqs + this.#contradictions,
    };
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all([
      ...this.#clients.map((client) => client.close()),
      ...this.#readers.map((reader) => reader[Symbol.asyncDispose]()),
    ]);
  }

  async #openClient({ token }: Account, i: number): Promise<void> {
    const caughtUp = Promise.withResolvers<void>();
    let last = 0;
    const client = new SessionClient({
      address: addressOf(this.#url),
      token: () => token,
      device: 'sender',
      onCaughtUp: () => caughtUp.resolve(),
      onEntries: (entries) => {
        for (const { seq, clientId, message } of entries) {
          const at = Number(seq);
          if (at <= last) this.#shownReordered++;
          last = at;
          this.#shownCount++;
          const shown = this.#shown[i];
          if (shown !== undefined) shown[at] = true;
          this.#ledger.saw(at, clientId, message?.text ?? '');
        }
      },
    });
    this.#clients.push(client);
    await caughtUp.promise;
  }

  async #sendBySession(i: number): Promise<void> {
    const client = this.#clients[i];
    while (!this.#isOver) {
      const clientId = this.#nextId(i);
      const send = () => client?.send(this.#nameOfOther(i), textOf(clientId), clientId);
      const sent = await this.#untilAcked(send);
      this.#acknowledged(sent?.conversation ?? '', Number(sent?.seq), clientId);
      await delay(PAUSE_MS);
    }
  }

  async #sendByCalls(): Promise<void> {
    const stub = chatStub(this.#url);
    while (!this.#isOver) {
      const clientId = this.#nextId(0);
      const message = { friend: this.#nameOfOther(0), message: textOf(clientId), client_id: clientId };
      const send = () => unary(stub, 'SendMessage', message, { token: this.#people[0].token });
      const { conversation, seq } = await this.#untilAcked(send);
      this.#acknowledged(conversation, Number(seq), clientId);
      if (this.#number % AGAIN_EVERY === 0) {
        this.#repeatedSends++;
        if ((await this.#untilAcked(send)).seq !== seq) this.#contradictions++;
      }
      await delay(PAUSE_MS);
    }
    stub.close();
  }

  async #untilAcked<T>(send: () => Promise<T> | undefined): Promise<T> {
    for (;;)
      try {
        return (await send()) as T;
      } catch (error) {
        // UNAVAILABLE, or no answer in time: the same again. Anything else is a fault of ours.
        if (![4, 14].includes((error as { code?: number }).code ?? -1)) throw error;
        this.#repeatedSends++;
        await delay(RETRY_MS);
      }
  }

  #acknowledged(conversation: string, seq: number, clientId: string): void {
    this.#conversation = conversation;
    this.#ledger.acknowledged(seq, clientId);
  }

  #nextId(i: number): string {
    return `${this.#people[i]?.username}-${this.#number++}`;
  }

  #nameOfOther(i: number): string {
    return this.#people[1 - i]?.username ?? '';
  }

  /** Of the other's messages; one's own are answered rather than shown. */
  #missedBySenders(log: Logged[]): number {
    const missed = this.#shown.map((shown, i) => {
      const others = log.filter(({ clientId }) => clientId.startsWith(`${this.#nameOfOther(i)}-`));
      return others.filter(({ seq }) => shown[seq] !== true).length;
    });
    return missed.reduce((sum, count) => sum + count, 0);
  }

  async #caughtUp(length: number): Promise<void> {
    const isBehind = () => this.#readers.some((reader) => reader.lastOf(this.#conversation) < length);
    for (const end = Date.now() + CATCH_UP_MS; isBehind() && Date.now() < end; ) await delay(50);
    // The sending devices have no end to wait for: what is missing there is on its way for a moment at most.
    const log = await readLog(this.#url, this.#people[0], this.#conversation);
    for (const end = Date.now() + CATCH_UP_MS; this.#missedBySenders(log) > 0 && Date.now() < end; )
      await delay(250);
  }
}
