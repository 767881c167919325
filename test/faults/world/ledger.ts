import type { Logged } from './log.ts';

/** What everybody saw of one conversation, compared as it comes: whether two of them ever saw different things, and what was acknowledged. */
export class Ledger {
  /** The client id at each seq, whoever saw it first. */
  readonly #at: string[] = [];
  readonly #acked: { seq: number; clientId: string }[] = [];
  /** Seqs that two people saw different contents at. */
  twoContents = 0;

  get acked(): number {
    return this.#acked.length;
  }

  /** A send was acknowledged. */
  acknowledged(seq: number, clientId: string): void {
    this.#acked.push({ seq, clientId });
    this.saw(seq, clientId, textOf(clientId));
  }

  /** Somebody was shown an entry. */
  saw(seq: number, clientId: string, text: string): void {
    this.#at[seq] ??= clientId;
    if (this.#at[seq] !== clientId || text !== textOf(clientId)) this.twoContents++;
  }

  /** What the log, read from its beginning to its end, says of all this. */
  audit(log: Logged[]): { lost: number; gaps: number; twoSeqs: number; twoContents: number } {
    for (const { seq, clientId, text } of log) this.saw(seq, clientId, text);
    return {
      lost: this.#acked.filter(({ seq, clientId }) => log[seq - 1]?.clientId !== clientId).length,
      gaps: log.filter(({ seq }, i) => seq !== i + 1).length,
      twoSeqs: log.length - new Set(log.map(({ clientId }) => clientId)).size,
      twoContents: this.twoContents,
    };
  }
}

/** A text that only this client id has. */
export function textOf(clientId: string): string {
  return `${clientId} says hello`;
}
