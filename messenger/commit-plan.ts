import { aheadBy, MAX_AHEAD_MS } from '#common/clocks.ts';
import type { Commit, Draft, Entry, Outcome, Reached } from './ports.ts';

/** What a conversation's row says, read under its lock. All zero for one that does not exist yet. */
export interface Head {
  lastSeq: number;
  messagesSoFar: number;
  lastSentAt: number;
}

/** The entry that holds a draft's client id already. */
export interface Original {
  seq: number;
  sentAt: number;
  contentHash: string;
}

export type NewEntry = Entry & { contentHash: string };

export interface Plan {
  /** One for each draft, in order. */
  outcomes: Outcome[];
  entries: NewEntry[];
  /** What the plan was made from. */
  before: ReadonlyMap<string, Head>;
  /** The conversations that changed, with their new heads. */
  heads: Map<string, Head & { isNew: boolean; members: readonly string[] }>;
  /** How far each sender has read by writing, in each conversation. */
  ownReads: (Reached & { messagesSoFar: number })[];
}

const NO_HEAD: Head = { lastSeq: 0, messagesSoFar: 0, lastSentAt: 0 };

/**
 * Decides what a batch writes, from what the transaction read under its locks: the heads of the conversations that exist,
 * and the originals of the drafts whose client ids are taken (by `clientIdKey`). Every store runs its batches through this.
 */
export function planCommit(
  drafts: readonly Draft[],
  heads: ReadonlyMap<string, Head>,
  originals: ReadonlyMap<string, Original>,
  now: number,
): Plan {
  const plan: Plan = { outcomes: [], entries: [], before: heads, heads: new Map(), ownReads: [] };
  const committed = new Map<string, Original>();
  for (const draft of drafts) {
    const key = clientIdKey(draft);
    const original = committed.get(key) ?? originals.get(key);
    if (original !== undefined) {
      const isSameContent = original.contentHash === draft.contentHash;
      plan.outcomes.push({ kind: 'duplicate', seq: original.seq, sentAt: original.sentAt, isSameContent });
      continue;
    }
    const before = plan.heads.get(draft.conversation) ?? heads.get(draft.conversation);
    const entry = append(plan, draft, heads.get(draft.conversation), now);
    committed.set(key, entry);
    const { seq, sentAt, messagesSoFar } = entry;
    const datedBackMs = aheadBy(before?.lastSentAt ?? 0, sentAt);
    plan.outcomes.push({
      kind: 'committed',
      seq,
      sentAt,
      messagesSoFar,
      ...(datedBackMs > 0 && { datedBackMs }),
    });
  }
  plan.ownReads = ownReads(plan.entries);
  return plan;
}

/** What makes a client id unique. */
export function clientIdKey({
  conversation,
  sender,
  clientId,
}: Pick<Draft, 'conversation' | 'sender' | 'clientId'>): string {
  return `${conversation} ${sender} ${clientId}`;
}

/** What the plan's batch did, for the journal. */
export function commitsOf({ heads }: Plan): Commit[] {
  return Array.from(heads, ([conversation, { lastSeq, lastSentAt, members }]) => ({
    conversation,
    lastSeq,
    sentAt: lastSentAt,
    members: [...members],
  }));
}

/** The last entry of each sender in each conversation. */
function ownReads(entries: NewEntry[]): Plan['ownReads'] {
  const last = new Map(entries.map((entry) => [`${entry.conversation} ${entry.sender}`, entry]));
  return Array.from(last.values(), ({ sender: user, conversation, seq, messagesSoFar }) => {
    return { user, conversation, seq, messagesSoFar };
  });
}

function append(plan: Plan, draft: Draft, stored: Head | undefined, now: number): NewEntry {
  const head = plan.heads.get(draft.conversation) ?? stored ?? NO_HEAD;
  const next = {
    lastSeq: head.lastSeq + 1,
    messagesSoFar: head.messagesSoFar + 1,
    lastSentAt: dateAfter(head.lastSentAt, now),
  };
  plan.heads.set(draft.conversation, { ...next, isNew: stored === undefined, members: draft.members });
  const { conversation, sender, clientId, contentHash, body, clientTime } = draft;
  const { lastSeq: seq, lastSentAt: sentAt, messagesSoFar } = next;
  const entry = { conversation, seq, sender, clientId, sentAt, clientTime, messagesSoFar, body, contentHash };
  plan.entries.push(entry);
  return entry;
}

/**
 * Not before the entry before it, unless that is dated so far ahead that a clock was wrong: it would hold the
 * conversation there for ever.
 */
function dateAfter(lastSentAt: number, now: number): number {
  return aheadBy(lastSentAt, now) > MAX_AHEAD_MS ? now : Math.max(now, lastSentAt);
}
