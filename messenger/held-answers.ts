import type { SendRequest, Sent } from './send.ts';

/** The answer to a send that is committed. */
export interface Answer {
  request: SendRequest;
  sent: Sent;
}

/** Answers that wait until their stream has told everything that lies before them in their conversation. */
export class HeldAnswers {
  /** By conversation, ascending by seq. */
  readonly #held = new Map<string, Answer[]>();

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  add(answer: Answer): void {
    const { conversation, seq } = answer.sent;
    const held = this.#held.get(conversation) ?? [];
    if (held.length === 0) this.#held.set(conversation, held);
    // Nearly always the last one.
    const after = held.findLastIndex(({ sent }) => sent.seq <= seq);
    held.splice(after + 1, 0, answer);
  }

  /** Takes out those of the conversation that may go, in their order. */
  take(conversation: string, mayGo: (sent: Sent) => boolean): Answer[] {
    const held = this.#held.get(conversation);
    if (held === undefined) return [];
    const staying = held.findIndex(({ sent }) => !mayGo(sent));
    const going = held.splice(0, staying === -1 ? held.length : staying);
    if (held.length === 0) this.#held.delete(conversation);
    return going;
  }

  /** Takes out all, and returns how many there were. */
  drop(): number {
    let count = 0;
    for (const held of this.#held.values()) count += held.length;
    this.#held.clear();
    return count;
  }
}
