/**
 * What userinfo needs of the outside. Usernames are canonical everywhere below; times are ms since the epoch.
 */

/**
 * The graph of people. Every method is one atomic step, durable when it resolves, and does no harm when it is
 * repeated: also at the same moment, by several processes. Every method rejects with UNAVAILABLE, within seconds, while the
 * graph cannot be reached; whether what was asked was done is then not known.
 */
export interface Graph {
  /** Resolves when the graph answers. */
  ping(): Promise<void>;

  /**
   * Where the feed was when what it said was last stored; empty if never. Of several processes that follow one feed into one
   * graph the last to store counts, so a little may be told again.
   */
  cursor(feed: FeedName): Promise<string>;

  /**
   * Makes these people known, and leaves those already known as they are: a display name is set here once and then
   * belongs to `describe`. A `cursor` is stored in the same step as the place in the feed of accounts.
   */
  seed(people: readonly NamedPerson[], cursor?: string): Promise<void>;

  person(username: string): Promise<Person | undefined>;

  /** Changes what is given of a profile and answers all of it; undefined when the person is not known. */
  describe(username: string, change: ProfileChange): Promise<Person | undefined>;

  /**
   * The people of whom a term begins with `prefix` (folded as terms are), each once: those with an exactly equal term
   * first, then by their first matching term, then by username.
   */
  search(prefix: string, page: Page): Promise<Listed<Person>>;

  /** By username. */
  friends(username: string, page: Page): Promise<Listed<Friend>>;

  /** What waits for `username` (incoming) or for others (outgoing), newest first. */
  requests(username: string, direction: Direction, page: Page): Promise<Listed<FriendRequest>>;

  /**
   * `from` asks `to`; both are known and differ. Asking again changes nothing and keeps the first time; asking somebody
   * who has asked makes both friends, and no request is left between them.
   */
  request(from: string, to: string, now: number): Promise<Asked>;

  /** Makes both friends if `from` has asked `username`; friends stay as they are; undefined if neither. */
  accept(username: string, from: string, now: number): Promise<Friend | undefined>;

  /** Forgets the request between the two, whoever asked; false when there is none. */
  dismiss(username: string, other: string): Promise<boolean>;

  /** Ends the friendship; false when there is none. When they last chatted is kept. */
  unfriend(username: string, other: string): Promise<boolean>;

  /**
   * Makes friends of many pairs, each of two who are known and differ; those who are friends already stay as they are. For
   * moving a graph: it asks nobody, so no request may be open between two of a pair.
   */
  befriend(friendships: readonly Friendship[]): Promise<void>;

  /** The friends that both of two different people have, by username. */
  mutual(username: string, other: string, page: Page): Promise<Listed<Known>>;

  /** How many friends both have. */
  mutualCount(username: string, other: string): Promise<number>;

  /**
   * The people whom friends of `username` have as friends: the highest score first, then by username. Never `username`, a
   * friend, anybody with a request to or from `username`, nor anybody whom `username` has dismissed. A friend in common who has
   * n friends adds `WHOLE_FRIEND` div n to the score, in integers (suggestions.ts).
   *
   * Bounded: the friends of `username` count in the order of how many friends they have, fewest first, then by username, as
   * long as these numbers together are `MOST_PATHS` or less. The friends in common are those among them.
   */
  suggestions(username: string, page: Page): Promise<Listed<Suggestion>>;

  /** Suggests `other` to `username` no more; both are known and differ. */
  dismissSuggestion(username: string, other: string): Promise<void>;

  /**
   * Friends and everybody chatted with: the most recent chat first (then by username), after them by username the friends
   * never chatted with. At most `limit`.
   */
  contacts(username: string, limit: number): Promise<Contact[]>;

  /**
   * Records chats, in both directions, for people known or not. The newest time counts, whatever the order of
   * telling, unless it is more than a minute ahead of one that is told after it: a messenger's clock was
   * wrong then. `cursor`, unless empty, is stored in the same step as the place in the feed of commits.
   */
  chatted(chats: readonly Chat[], cursor: string): Promise<void>;

  /** Forgets the place in the feed of commits, then every chat. The one method that may be cut short: repeat it then. */
  forgetChats(): Promise<void>;
}

/** The authenticator's accounts. */
export interface Accounts {
  /** The account of that name, asked now. @throws ServiceError UNAVAILABLE when there is no answer. */
  find(username: string): Promise<Account | undefined>;

  /**
   * All accounts after `cursor` in the order of their creation, then new ones as they come, in bounded batches. Ends or
   * throws when the connection does. Every account comes at least once. A cursor that is not (or no longer) one of this feed
   * starts it from the beginning (`isReset`).
   */
  follow(cursor: string, signal: AbortSignal): AsyncIterable<AccountBatch>;
}

/** The messenger's commits. */
export interface Commits {
  /**
   * What was committed after `cursor` and what comes, in bounded batches, at least once; a reader without a place in the
   * feed gets every conversation first. Taking the next batch acknowledges the one before, so it must be stored by then.
   */
  follow(cursor: string, signal: AbortSignal): AsyncIterable<CommitBatch>;

  /** Whether the feed is connected now. */
  readonly isConnected: boolean;
}

export type FeedName = 'accounts' | 'commits';

export type Direction = 'incoming' | 'outgoing';

export interface NamedPerson {
  username: string;
  displayName: string;
  /** What a search finds this person by, folded. */
  terms: readonly string[];
}

export interface Person {
  username: string;
  displayName: string;
  about: string;
  /** Empty if there is none. */
  avatarUrl: string;
}

export interface ProfileChange {
  displayName?: string;
  /** Replaces what the person is found by; goes with `displayName`. */
  terms?: readonly string[];
  about?: string;
  avatarUrl?: string;
}

export interface Friend {
  username: string;
  displayName: string;
  since: number;
  /** null if never. */
  lastChatted: number | null;
}

/** One side of a request: the other person. */
export interface FriendRequest {
  username: string;
  displayName: string;
  since: number;
}

/** Somebody as lists show them. */
export interface Known {
  username: string;
  displayName: string;
}

export interface Friendship {
  one: string;
  other: string;
  since: number;
}

/** Somebody whom one may know, and why. */
export interface Suggestion extends Known {
  score: number;
  friendsInCommon: {
    count: number;
    /** The first of them by username, `NAMES_SHOWN` at most. */
    names: string[];
  };
}

export interface Contact {
  username: string;
  /** null if never. */
  lastChatted: number | null;
}

export type Asked =
  | { outcome: 'asked' | 'asked before'; request: FriendRequest }
  | { outcome: 'friends now' | 'friends before'; friend: Friend };

export interface Page {
  limit: number;
  /** `next` of the page before; empty for the first page. */
  after: string;
}

export interface Listed<Item> {
  items: Item[];
  /** Where the next page begins, known only to the adapter; empty when this page is the last. */
  next: string;
}

export interface Chat {
  one: string;
  other: string;
  at: number;
}

export interface Account {
  username: string;
  displayName: string;
}

export interface AccountBatch {
  accounts: Account[];
  cursor: string;
  /** Whether the past is told. */
  isCaughtUp: boolean;
  /** Whether the feed has begun anew, with this batch or in it. */
  isReset: boolean;
}

export interface CommitBatch {
  chats: Chat[];
  /** Empty while the feed has no place to go on from. */
  cursor: string;
}
