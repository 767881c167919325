import { setTimeout as delay } from 'node:timers/promises';
import { requireMember } from './conversation-id.ts';
import type { Cursors } from './cursors.ts';
import { type Gap, startAnew } from './opening.ts';
import type { Head, MessageStore } from './ports.ts';
import type { Reader } from './reader.ts';
import type { UserRate } from './user-rate.ts';

/** A device says that everything of a conversation up to `seq`, and its marks up to a revision, have arrived. */
export interface Acknowledgement {
  conversation: string;
  seq: number;
  /** 0 says nothing. */
  marksTaken: number;
}

/** The stream whose device acknowledges. */
export interface AcknowledgingStream {
  readonly signal: AbortSignal;
  /** What lies there is not written any more. */
  onPassed(conversation: string, seq: number): void;
  /** A conversation begins anew, and this is not sent of it. Comes before its entries. */
  onGap(gap: Gap): void;
}

export interface AcknowledgementsOptions {
  user: string;
  device: string;
  reader: Reader;
  cursors: Pick<Cursors, 'move'>;
  rate: UserRate;
  store: Pick<MessageStore, 'heads'>;
  stream: AcknowledgingStream;
}

/** An acknowledgement costs this much of a message in its user's budget. */
const COST = 1 / 50;

/**
 * The acknowledgements of one device's stream. What this node does not know of is looked up in the log: the device may have learnt of it from another
 * node. Beyond the end of the log it speaks of another log, that was before a restore, and the conversation begins anew.
 */
export class Acknowledgements {
  readonly #options: AcknowledgementsOptions;

  constructor(options: AcknowledgementsOptions) {
    this.#options = options;
  }

  /**
   * Undefined where all of it is done, as most is; else a promise that fulfils when it is.
   * @throws ServiceError NOT_FOUND for somebody else's conversation.
   */
  take(acks: readonly Acknowledgement[]): Promise<void> | undefined {
    const { user, rate } = this.#options;
    const unknown: Acknowledgement[] = [];
    for (const ack of acks) {
      if (this.#move(ack)) continue;
      requireMember(user, ack.conversation);
      unknown.push(ack);
    }
    // What is looked up costs a query.
    const waitMs = rate.charge(user, acks.length * COST + Math.ceil(unknown.length / 100));
    if (unknown.length === 0 && waitMs === 0) return undefined;
    return this.#takeLater(unknown, waitMs);
  }

  async #takeLater(unknown: Acknowledgement[], waitMs: number): Promise<void> {
    const { store, reader, stream } = this.#options;
    if (waitMs > 0) await delay(waitMs, undefined, { signal: stream.signal });
    if (unknown.length === 0) return;
    const heads = await store.heads([...new Set(unknown.map(({ conversation }) => conversation))]);
    for (const head of heads) reader.announce(head);
    const lastSeqs = new Map(heads.map(({ conversation, lastSeq }) => [conversation, lastSeq]));
    for (const ack of unknown) {
      const { conversation } = ack;
      if (!this.#move(ack)) this.#restart({ conversation, lastSeq: lastSeqs.get(conversation) ?? 0 });
    }
  }

  #move({ conversation, seq, marksTaken }: Acknowledgement): boolean {
    const { user, device, reader, cursors, stream } = this.#options;
    if (!reader.skip(conversation, seq)) return false;
    stream.onPassed(conversation, seq);
    cursors.move({ user, device, conversation, seq, marksTaken });
    return true;
  }

  #restart(head: Head): void {
    if (head.lastSeq === 0) return;
    const { start, gap } = startAnew(head);
    if (gap !== undefined) this.#options.stream.onGap(gap);
    this.#options.reader.restart(start);
  }
}
