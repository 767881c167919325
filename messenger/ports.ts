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

/**
 * What became of a draft: committed now, or committed before under the same client id. `datedBackMs` is there
 * where the entry before it is dated later by so much, which is more than a minute.
 */
export type Outcome =
  | { kind: 'committed'; seq: number; sentAt: number; messagesSoFar: number; datedBackMs?: number }
  | { kind: 'duplicate'; seq: number; sentAt: number; isSameContent: boolean };

/** How far a conversation goes. */
export interface Head {
  conversation: string;
  lastSeq: number;
}

/** How far a device is in one conversation. Times are ms since the epoch. */
export interface Position extends Head {
  /** Everything up to here has arrived on the device; undefined where it has acknowledged nothing. */
  cursor: number | undefined;
  createdAt: number;
  lastSentAt: number;
  /** The revision of the conversation's marks, 1 or more. */
  marksRevision: number;
  /** The one that the device has acknowledged; 0 for none. */
  marksTaken: number;
}

export interface DeviceCursor {
  user: string;
  device: string;
  conversation: string;
  seq: number;
  /** The revision of the conversation's marks that the device has; 0 says nothing. */
  marksTaken: number;
}

/** A moment in a conversation whose newest entry is `lastSeq`. */
export interface Moment extends Head {
  /** Ms since the epoch. */
  at: number;
}

/** Entries of one conversation after a seq; or its marks after a revision of them. */
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
  /** The revision of the member's state that last set `readSeq`; 0 where only sending has. */
  revision: number;
  /** The revision of the conversation's marks that last set these, 1 or more; sending sets none. */
  marksRevision: number;
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

/** How a device arrives. */
export interface Arrival {
  /** Ms since the epoch. */
  now: number;
  /** What counts as the moment when it was first seen, if it was never here; ms since the epoch. */
  baseAt: number;
  /** A user has at most so many devices. */
  maxDevices: number;
  /** The user's devices that have a stream open: none of them is forgotten. */
  openDevices: readonly string[];
  /** The epoch that the device knows; empty for none. */
  epoch: string;
}

/** What a device finds when it opens a stream. */
export interface OpenedDevice {
  /** The epoch of the log. */
  epoch: string;
  /** When it was first seen, ms since 1970: what is older may be left out. */
  baseAt: number;
  /** The user's revision: read before the positions, so that everything up to it is in the store by then. */
  revision: number;
  positions: Position[];
}

/** Personal state of one user that changed. */
export interface StatePage {
  /** Ascending by revision, all that share a revision together. */
  marks: Marks[];
  /** All changes up to here are in `marks`, or were before. */
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
  /** The page ends before a batch that is not there and may still come. After this time, ms, it is passed over, though nothing is committed. */
  lookAgainInMs?: number;
}

/**
 * The append-only logs of all conversations, and what belongs to them. Every method rejects with UNAVAILABLE when the
 * storage does not answer; whether the call was stored is not known then, and it bears to be made again.
 */
export interface MessageStore {
  /**
   * Commits a batch: all drafts or none, in one transaction that is on disk when the promise fulfils.
   * - In each conversation new entries get the next seqs in the order of the drafts; seq has no holes.
   * - A draft whose (conversation, sender, clientId) was committed before, or stands earlier in this batch,
   *   is a `duplicate` with that entry's seq, and changes nothing.
   * - `sentAt` is `now`, or the conversation's newest entry's if that is at most a minute later. One that is
   *   later still was dated by a wrong clock: times then go back once, by `datedBackMs`, and `seq` alone
   *   tells the order.
   * - A sender has read what they wrote: their read mark moves to their entry, without a revision.
   * - The same transaction writes the journal. Batches are totally ordered as they were called.
   */
  commit(drafts: Draft[], now: number): Promise<Outcome[]>;

  /** The conversations that have any entry, in no order. */
  heads(conversations: readonly string[]): Promise<Head[]>;

  /**
   * Notes that the device is here, and tells every conversation of its user with what the device has
   * acknowledged, in no order. Nothing here says that anything has arrived: only `saveCursors` does. A device
   * that was never here takes the place of the user's longest unseen one that has no stream open, where there
   * are `maxDevices` already; that one goes with its cursors, and is new when it comes back. Rejects with
   * CONFLICT where every one of them has a stream open. A device that knows another epoch than the log's is
   * forgotten, and then added as one that was never here.
   */
  openDevice(user: string, device: string, arrival: Arrival): Promise<OpenedDevice>;

  /**
   * For each moment the seq of the newest entry that was sent no later; 0 where there is none. Exact where times ascend with the seqs; near a
   * clock that was set back it may be that of an older entry.
   */
  newestAt(moments: readonly Moment[]): Promise<number[]>;

  /** Marks of the user's own that have a revision after this one: at most some 500, the lowest revisions first. */
  stateAfter(user: string, revision: number): Promise<StatePage>;

  /** Marks of all members in each range, those with a revision of the conversation's marks after `after`, in no order. */
  marksAfter(ranges: readonly Range[]): Promise<Marks[]>;

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
   * Moves cursors forward, and with them the delivered marks; one that lies behind what is stored changes nothing, nor does one that is
   * no seq (a whole number from 1 to 2^53 - 1). The cursor of a device that
   * is not known (any more) is left out, its delivered mark is not. Returns the marks that moved.
   */
  saveCursors(cursors: DeviceCursor[]): Promise<Marks[]>;

  /**
   * Moves read marks forward, under the next revision of their user. Returns the user's marks in that conversation as they
   * are then, and undefined where there is no such entry.
   */
  markRead(reads: Reached[]): Promise<(Marks | undefined)[]>;

  /**
   * Batches after `cursor`, in commit order: at most `limit` of them, and none after about 1 MiB of text, but one at least. Undefined when
   * `cursor` is not (or no longer) a place in the journal.
   */
  journal(cursor: string, limit: number): Promise<JournalPage | undefined>;

  /** The place after the newest batch. */
  journalEnd(): Promise<string>;

  /** Whether `cursor` is a place of a journal that went further than this one does. */
  isBeyondJournal(cursor: string): Promise<boolean>;

  /**
   * The epoch of the log, 1 to 64 visible ASCII characters. Places of another epoch say nothing in this one.
   */
  epoch(): Promise<string>;

  /** Begins a new epoch, unless `from` is not the present one any more. Fulfils with the present one. */
  renewEpoch(from: string): Promise<string>;

  /** All conversations by id, as commits, after the one named (empty: from the first). For a reader that starts anew. */
  snapshot(afterConversation: string, limit: number): Promise<Commit[]>;

  /** Notes where a reader of the journal is: what comes after `cursor` is kept for it, for as long as it is seen once a week. */
  acknowledgeJournal(reader: string, cursor: string, now: number): Promise<void>;

  /**
   * Forgets what all readers have read, or what is an hour old where there is no reader; what is a week old in any case; and readers that
   * were not seen for a week, which begin anew with a snapshot. Some hundreds of batches in one call at most; true when there are more.
   */
  pruneJournal(now: number): Promise<boolean>;
}

/** What others have written. */
export interface News {
  commits: Commit[];
  marks: Marks[];
}

/** A message store that other nodes write to as well. */
export interface SharedLog {
  /**
   * What other nodes have committed since the last call, or since the store was opened. In no order, and some
   * of it perhaps again; a batch whose COMMIT took effect late comes late, but comes. Undefined where some of
   * it is forgotten already: then nothing is known for certain of what this node missed. So it is too where
   * the log has begun a new epoch, and where the journal ends before what this node knows of it, which begins
   * one. Two queries, whatever has happened.
   */
  news(): Promise<News | undefined>;
}

/** What a node hears from the others about one user. */
export interface HintListener {
  /** New entries of one or more conversations, ascending within each. */
  entries(entries: Entry[]): void;
  /** Conversations have grown up to there. */
  heads(heads: Head[]): void;
  marks(marks: Marks[]): void;
  /** A device has opened a stream at another node. */
  opened(device: string, at: OpenedAt): void;
}

/** When and where a stream was opened: by the clock of its node, ms since the epoch. */
export interface OpenedAt {
  time: number;
  node: string;
}

/**
 * What the nodes tell each other, each of it a hint: it reaches the nodes that listen for the user at most once, soon or never, and
 * whoever missed it reads the shared log. Nothing here waits or throws.
 */
export interface Hints {
  /** Committed entries of one or more conversations, ascending within each, for all their members. */
  tellEntries(entries: Entry[]): void;
  tellMarks(marks: Marks[]): void;
  /** This node's name among all, the same for its lifetime. */
  readonly node: string;
  /** `time`: by this node's clock, ms since the epoch. */
  tellOpened(user: string, device: string, time: number): void;
  listen(user: string, listener: HintListener): Disposable;
}

/** Who has an account. */
export interface Directory {
  /** Rejects with UNAVAILABLE when the authenticator does not answer. */
  exists(username: string): Promise<boolean>;
}
