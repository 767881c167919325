import type { Head, Moment, OpenedDevice, Position } from './ports.ts';
import type { Start } from './reader.ts';

/** Entries from `firstSeq` to `lastSeq` that a device is not sent; history has them. */
export interface Gap {
  conversation: string;
  firstSeq: number;
  lastSeq: number;
}

/** What a device says of a conversation when it opens a stream. */
export interface Claim {
  /** Everything up to here has arrived. */
  seq: number;
  /** The revision of the conversation's marks that it has; 0 says nothing. */
  marksTaken: number;
}

export type Claims = ReadonlyMap<string, Claim>;

/** Where a device begins in one conversation. */
export interface Opened extends Start {
  marksTaken: number;
  marksRevision: number;
}

export interface Opening {
  starts: Opened[];
  gaps: Gap[];
  /** There are conversations of which nothing is told: the inbox lists them. */
  listInbox: boolean;
}

/** More missed entries than this are not sent one by one. */
const MAX_BACKLOG = 20_000;
/** What is sent of each conversation then. */
const NEWEST_PAGE = 50;
/** A device that is new begins with the newest entry of so many conversations, the most recently active ones. */
const INBOX_PAGE = 100;
/** More than the clocks of two nodes ever differ, ms. */
const CLOCKS_DIFFER_MS = 24 * 3_600_000;

/** Decides where a device's stream begins in each conversation, and what it is not sent. Nothing is left out silently. */
export class OpeningPlan {
  readonly #device: OpenedDevice;
  readonly #claims: Claims;
  readonly #inbox: ReadonlySet<string>;

  constructor(device: OpenedDevice, claims: Claims) {
    this.#device = device;
    this.#claims = claims;
    this.#inbox = firstPage(device.positions);
  }

  /** What must be looked up before: the places where the conversations were at a certain time. */
  get moments(): Moment[] {
    return this.#device.positions.flatMap((position) => {
      if (this.#knownSeq(position) !== undefined) return [];
      const { conversation, lastSeq, lastSentAt, createdAt } = position;
      const at = this.#since(conversation);
      return lastSentAt > at && createdAt <= at ? [{ conversation, lastSeq, at }] : [];
    });
  }

  /** `newest`: what was found for each of `moments`, in their order. */
  opening(newest: readonly number[]): Opening {
    const found = new Map(this.moments.map(({ conversation }, i) => [conversation, newest[i] ?? 0]));
    const begins = this.#device.positions.map((position) => this.#begin(position, found));
    const backlog = begins.reduce((sum, { position, cursor }) => sum + position.lastSeq - cursor, 0);
    const opening: Opening = { starts: [], gaps: [], listInbox: begins.some(({ isUntold }) => isUntold) };
    for (const { position, cursor, firstUnsent, isUntold } of begins) {
      const { conversation, lastSeq, marksRevision } = position;
      const start = backlog > MAX_BACKLOG ? Math.max(cursor, lastSeq - NEWEST_PAGE) : cursor;
      const hasGap = start >= firstUnsent && !isUntold;
      if (hasGap) opening.gaps.push({ conversation, firstSeq: firstUnsent, lastSeq: start });
      // Some marks follow from entries, and with a gap from those that do not come.
      const marksTaken = hasGap ? 0 : this.#marksTaken(position, isUntold);
      opening.starts.push({ conversation, lastSeq, cursor: start, marksTaken, marksRevision });
    }
    return opening;
  }

  #begin(position: Position, found: ReadonlyMap<string, number>): Begin {
    const { conversation, lastSeq, lastSentAt, createdAt } = position;
    const known = this.#knownSeq(position);
    if (known !== undefined && known <= lastSeq)
      return { position, cursor: known, firstUnsent: known + 1, isUntold: false };
    // The log does not go so far: it is another one, restored from a backup, and the device begins anew.
    if (known !== undefined)
      return { position, cursor: startAnew(position).start.cursor, firstUnsent: 1, isUntold: false };
    const at = this.#since(conversation);
    const isQuiet = lastSentAt <= at;
    if (!this.#inbox.has(conversation) && isQuiet)
      return { position, cursor: lastSeq, firstUnsent: lastSeq + 1, isUntold: true };
    const newest = isQuiet ? lastSeq : createdAt > at ? 0 : (found.get(conversation) ?? 0);
    // Of the first page the entry that was the newest is told too, as it was when the device was new.
    const cursor = this.#inbox.has(conversation) ? Math.max(0, newest - 1) : newest;
    return { position, cursor, firstUnsent: 1, isUntold: false };
  }

  /** What the device has, by its own word or by its acknowledgements. */
  #knownSeq({ conversation, cursor }: Position): number | undefined {
    return this.#claims.get(conversation)?.seq ?? cursor;
  }

  #marksTaken({ conversation, marksTaken, marksRevision }: Position, isUntold: boolean): number {
    return isUntold ? marksRevision : this.#claims.get(conversation)?.marksTaken || marksTaken;
  }

  /** What was sent before this is not told of one by one. Outside of the first page a hole is never ruled out by a clock. */
  #since(conversation: string): number {
    return this.#device.baseAt - (this.#inbox.has(conversation) ? 0 : CLOCKS_DIFFER_MS);
  }
}

/** Begins a conversation with its newest entry; all before it is a gap. */
export function startAnew({ conversation, lastSeq }: Head): { start: Start; gap: Gap | undefined } {
  const cursor = Math.max(0, lastSeq - 1);
  const gap = cursor > 0 ? { conversation, firstSeq: 1, lastSeq: cursor } : undefined;
  return { start: { conversation, lastSeq, cursor }, gap };
}

/** The most recently active, as the inbox lists them. */
function firstPage(positions: readonly Position[]): ReadonlySet<string> {
  const byActivity = positions.toSorted(
    (a, b) => b.lastSentAt - a.lastSentAt || (a.conversation < b.conversation ? 1 : -1),
  );
  return new Set(byActivity.slice(0, INBOX_PAGE).map(({ conversation }) => conversation));
}

interface Begin {
  position: Position;
  /** It begins after this entry. */
  cursor: number;
  /** From here to `cursor` the device has not been sent anything. */
  firstUnsent: number;
  /** Nothing is told of it, not even a gap. */
  isUntold: boolean;
}
