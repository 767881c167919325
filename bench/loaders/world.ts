import { v7 as uuidv7 } from 'uuid';
import { conversationKey, directConversation } from '../../messenger/conversation-id.ts';

/** What a store is filled with before a run. */
export interface World {
  conversations: readonly Conversation[];
  /** Whose `phone` was here before, in a Session, and has acknowledged nothing: it misses everything. */
  phones?: readonly string[];
  bodyBytes: number;
}

export interface Conversation {
  members: readonly [string, string];
  entries: number;
}

export interface LoadedConversation {
  key: Uint8Array;
  id: string;
  members: readonly [string, string];
  lastSeq: number;
  sentAt: number;
}

export interface LoadedEntry {
  key: Uint8Array;
  seq: number;
  sender: string;
  clientId: string;
  sentAt: number;
}

/** The messenger keeps the devices of each door apart. */
export const PHONE = 'session/phone';

/** An hour ago: what is sent in the run comes later. */
const SENT_AT = Date.now() - 3_600_000;

/** Its conversations in the order of their keys, so that a table fills from one end. */
export function conversationsOf(world: World): LoadedConversation[] {
  return world.conversations
    .map(({ members, entries }) => {
      const id = directConversation(...members);
      return { key: conversationKey(id), id, members, lastSeq: entries, sentAt: SENT_AT };
    })
    .sort((a, b) => Buffer.compare(a.key, b.key));
}

/** The entries of one conversation; its members write in turns, with time-ordered client ids. */
export function* entriesOf({ key, members, lastSeq }: LoadedConversation): Generator<LoadedEntry> {
  for (let seq = 1; seq <= lastSeq; seq++)
    yield { key, seq, sender: members[seq % 2] ?? members[0], clientId: uuidv7(), sentAt: SENT_AT };
}

export function countOf(world: World): number {
  return world.conversations.reduce((sum, { entries }) => sum + entries, 0);
}
