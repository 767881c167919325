import { check } from './load.ts';

/**
 * One direction between two people: what was sent, acknowledged and delivered, in numbers that must agree at the end. Both ends live in
 * the load generator; each text carries its number.
 */
export class Channel {
  readonly #name: string;
  #sent = 0;
  #acked = 0;
  #received = 0;
  #ackedSum = 0;
  #receivedSum = 0;
  #lastAcked = 0;
  #lastReceived = 0;
  #firstAcked = Number.POSITIVE_INFINITY;
  /** When those on their way were sent, by their numbers. */
  readonly #sentAt = new Map<number, number>();

  constructor(from: string, to: string) {
    this.#name = `${from} to ${to}`;
  }

  /** The next text, of so many bytes. */
  text(bytes: number, now: number): string {
    this.#sentAt.set(++this.#sent, now);
    return `${this.#sent} `.padEnd(bytes, 'x');
  }

  acknowledge(wireSeq: bigint): void {
    const seq = Number(wireSeq);
    if (seq <= this.#lastAcked)
      check(false, `${this.#name}: ${seq} is acknowledged after ${this.#lastAcked}`);
    this.#firstAcked = Math.min(this.#firstAcked, seq);
    this.#lastAcked = seq;
    this.#acked++;
    this.#ackedSum += seq;
  }

  /** Returns when it was sent. */
  deliver(wireSeq: bigint, text: string): number {
    const seq = Number(wireSeq);
    const number = Number.parseInt(text, 10);
    const sentAt = this.#sentAt.get(number) ?? Number.NaN;
    this.#sentAt.delete(number);
    if (seq <= this.#lastReceived) check(false, `${this.#name}: ${seq} comes after ${this.#lastReceived}`);
    if (number !== this.#received + 1)
      check(false, `${this.#name}: message ${number} comes after ${this.#received}`);
    this.#lastReceived = seq;
    this.#received++;
    this.#receivedSum += seq;
    return sentAt;
  }

  get isSettled(): boolean {
    return this.#acked === this.#sent && this.#received >= this.#acked;
  }

  /** @throws Error unless everything sent was acknowledged and delivered, once and under the same seqs. */
  verify(): void {
    check(this.#acked === this.#sent, `${this.#name}: ${this.#sent} sent, ${this.#acked} acknowledged`);
    check(
      this.#received === this.#acked,
      `${this.#name}: ${this.#acked} acknowledged, ${this.#received} delivered`,
    );
    check(
      this.#receivedSum === this.#ackedSum,
      `${this.#name}: entries come under the seqs that were acknowledged`,
    );
  }

  /** @throws Error when the seqs of both directions together have a hole. Of a conversation that nobody else writes to. */
  static verifyTogether(...directions: readonly Channel[]): void {
    const used = directions.filter((channel) => channel.#acked > 0);
    const first = Math.min(...used.map((channel) => channel.#firstAcked));
    const last = Math.max(...used.map((channel) => channel.#lastAcked));
    const count = used.reduce((sum, channel) => sum + channel.#acked, 0);
    const [some] = used;
    if (some !== undefined) check(last - first + 1 === count, `${some.#name}: seq has no holes`);
  }
}
