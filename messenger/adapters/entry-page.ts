import type { Entry } from '../ports.ts';

/** Text of a page, UTF-16 units, after which it counts as full. */
const MAX_TEXT = 256 * 1024;

/** An entry as a database gives it: a client's clock may hold any 64-bit number, and then comes as text. */
export type EntryRow = Omit<Entry, 'conversation' | 'clientTime'> & { clientTime: number | string };

/** Entries until there are enough of them, or enough text in them. */
export class EntryPage {
  readonly entries: Entry[] = [];
  readonly #maxEntries: number;
  #text = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get isFull(): boolean {
    return this.entries.length >= this.#maxEntries || this.#text > MAX_TEXT;
  }

  /** Takes rows while there is room, and asks for none after that. */
  take(conversation: string, rows: Iterable<unknown>): void {
    if (this.isFull) return;
    for (const row of rows) {
      const entry = toEntry(conversation, row as EntryRow);
      this.entries.push(entry);
      this.#text += entry.body.length;
      if (this.isFull) return;
    }
  }
}

export function toEntry(conversation: string, row: EntryRow): Entry {
  const { seq, sender, clientId, sentAt, clientTime, messagesSoFar, body } = row;
  return { conversation, seq, sender, clientId, sentAt, clientTime: BigInt(clientTime), messagesSoFar, body };
}
