/** A send that is allowed and checked: what is left is to commit it. */
export interface Draft {
  conversation: string;
  /** Both members, or the one who writes to themselves. They become the conversation's members if it is new. */
  members: readonly string[];
  sender: string;
  clientId: string;
  /** 16 bytes over kind and body, in hexadecimal: whether a retry says the same. */
  contentHash: string;
  body: string;
  /** The sender's clock, as sent. */
  clientTime: bigint;
}

/** One committed entry of a conversation's log. Times are ms since the epoch. */
export interface Entry {
  conversation: string;
  seq: number;
  sender: string;
  clientId: string;
  sentAt: number;
  clientTime: bigint;
  messagesSoFar: number;
  body: string;
}

/** What became of a draft: committed now, or committed before under the same client id. */
export type Outcome =
  | { kind: 'committed'; seq: number; sentAt: number; messagesSoFar: number }
  | { kind: 'duplicate'; seq: number; sentAt: number; isSameContent: boolean };

/** How far a device is in one conversation. */
export interface Position {
  conversation: string;
  lastSeq: number;
  /** Everything up to here has arrived on the device; 0 for nothing. */
  cursor: number;
}

export interface DeviceCursor {
  user: string;
  device: string;
  conversation: string;
  seq: number;
}

/** Entries of one conversation after a seq. */
export interface Range {
  conversation: string;
  after: number;
}

/** How far a member is in a conversation. Marks only move forward. */
export interface Marks {
  conversation: string;
  member: string;
  readSeq: number;
  /** The furthest of the member's devices. */
  deliveredSeq: number;
  /** The revision of the member's state that last set these. */
  revision: number;
}

/** A place that somebody has reached in a conversation. */
export interface Reached {
  user: string;
  conversation: string;
  seq: number;
}

export interface ConversationSummary {
  id: string;
  members: string[];
  lastSeq: number;
  createdAt: number;
  lastEntry: Entry;
  /** Messages after the user's read mark. */
  unread: number;
  marks: Marks[];
}

/** What a user has not read: messages after their read marks, and how many conversations have any. */
export interface Unread {
  messages: number;
  conversations: number;
}

/** What a device finds when it opens a session. */
export interface OpenedDevice {
  /** It was never here before: its positions are the ends of its conversations. */
  isNew: boolean;
  positions: Position[];
  /** The user's own marks after the revision asked for, and all marks of the others. */
  marks: Marks[];
  /** The user's revision now. */
  revision: number;
}

/** What a batch did to one conversation, for those who follow. */
export interface Commit {
  conversation: string;
  lastSeq: number;
  sentAt: number;
  members: string[];
}

export interface JournalPage {
  commits: Commit[];
  /** Where to go on. */
  cursor: string;
}

/**
 * The append-only logs of all conversations, and what belongs to them. Every method rejects with UNAVAILABLE when the
 * storage does not answer; whether the call was stored is not known then, and it bears to be made again.
 */
export interface MessageStore {
  /**
   * Commits a batch: all drafts or none, in one transaction that is on disk when the promise fulfils.
   * - In each conversation new entries get the next seqs in the order of the drafts; seq has no holes.
   * - A draft whose (conversation, sender, clientId) was committed before, or stands earlier in this batch, is a
   *   `duplicate` with that entry's seq, and changes nothing.
   * - `sentAt` is `now`, or the conversation's newest entry's if that is later.
   * - A sender has read what they wrote: their read mark moves to their entry, without a revision.
   * - The same transaction writes the journal. Batches are totally ordered as they were called.
   */
  commit(drafts: Draft[], now: number): Promise<Outcome[]>;

  /** Whether the conversation has any entry. */
  exists(conversation: string): Promise<boolean>;

  /** Every conversation of the user with the device's cursor in it, in no order. */
  positions(user: string, device: string): Promise<Position[]>;

  /**
   * Notes that the device is here. One that was never here before starts at the end of all its conversations.
   * Marks of the user's own are those with a revision after `revision`.
   */
  openDevice(user: string, device: string, revision: number): Promise<OpenedDevice>;

  /**
   * Entries of the ranges, range by range in the order given, ascending without holes within each.
   * Stops at `maxEntries`, or after the entry that exceeds 256 KiB of text; what is missing is asked for again.
   */
  entries(ranges: Range[], maxEntries: number): Promise<Entry[]>;

  /** Entries of one conversation before a seq, descending, at most `limit` and 256 KiB of text. */
  entriesBefore(conversation: string, seq: number, limit: number): Promise<Entry[]>;

  /** The user's conversations, most recently active first, after the one with `before` (ties by id, descending). */
  conversations(
    user: string,
    before: { sentAt: number; id: string } | undefined,
    limit: number,
  ): Promise<ConversationSummary[]>;

  /** Over all conversations of the user. */
  unread(user: string): Promise<Unread>;

  /**
   * Moves cursors forward, and with them the delivered marks; one that lies behind what is stored changes nothing.
   * Returns the marks that moved.
   */
  saveCursors(cursors: DeviceCursor[]): Promise<Marks[]>;

  /**
   * Moves read marks forward, under the next revision of their user. Returns the user's marks in that conversation as they
   * are then, and undefined where there is no such entry.
   */
  markRead(reads: Reached[]): Promise<(Marks | undefined)[]>;

  /** Batches after `cursor`, in commit order; undefined when `cursor` is not (or no longer) a place in the journal. */
  journal(cursor: string, limit: number): Promise<JournalPage | undefined>;

  /** The place after the newest batch. */
  journalEnd(): Promise<string>;

  /** All conversations by id, as commits, after the one named (empty: from the first). For a reader that starts anew. */
  snapshot(afterConversation: string, limit: number): Promise<Commit[]>;

  /** Notes that a reader has processed everything up to `cursor`, and forgets what all readers have. */
  acknowledgeJournal(reader: string, cursor: string, now: number): Promise<void>;
}

/** What others have written. */
export interface News {
  commits: Commit[];
  marks: Marks[];
}

/** A message store that other nodes write to as well. */
export interface SharedLog {
  /**
   * What other nodes have committed since the last call, or since the store was opened. In no order, and some of it perhaps again; a batch
   * whose COMMIT took effect late comes late, but comes. Undefined where some of it is forgotten already: then nothing is known for
   * certain of what this node missed. Two queries, whatever has happened.
   */
  news(): Promise<News | undefined>;
}

/** What a node hears from the others about one user. */
export interface HintListener {
  /** New entries of one or more conversations, ascending within each. */
  entries(entries: Entry[]): void;
  /** Conversations have grown up to there. */
  heads(heads: Pick<Commit, 'conversation' | 'lastSeq'>[]): void;
  marks(marks: Marks[]): void;
  /** A device has opened a stream elsewhere. */
  opened(device: string, openedAt: number): void;
}

/**
 * What the nodes tell each other, each of it a hint: it reaches the nodes that listen for the user at most once, soon or never, and
 * whoever missed it reads the shared log. Nothing here waits or throws.
 */
export interface Hints {
  /** Committed entries of one or more conversations, ascending within each, for all their members. */
  tellEntries(entries: Entry[]): void;
  tellMarks(marks: Marks[]): void;
  /** `openedAt`: by this node's clock, ms. */
  tellOpened(user: string, device: string, openedAt: number): void;
  listen(user: string, listener: HintListener): Disposable;
}

/** Who has an account. */
export interface Directory {
  /** Rejects with UNAVAILABLE when the authenticator does not answer. */
  exists(username: string): Promise<boolean>;
}
