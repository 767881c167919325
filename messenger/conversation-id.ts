import { hash } from 'node:crypto';

/**
 * A direct conversation is named by its two members in order, `ada:bob`; a username holds no colon.
 * Writing to oneself is `ada:ada`.
 */
export function directConversation(one: string, other: string): string {
  return one < other ? `${one}:${other}` : `${other}:${one}`;
}

/** The members of a direct conversation; undefined when the id is not one. */
export function membersOf(conversation: string): string[] | undefined {
  const [one, other, ...rest] = conversation.split(':');
  if (!one || !other || rest.length > 0 || one > other) return undefined;
  return one === other ? [one] : [one, other];
}

/** The key that a conversation is stored under: 16 bytes, evenly spread, so that no part of an index is hot. */
export function conversationKey(conversation: string): Uint8Array {
  return hash('sha256', conversation, 'buffer').subarray(0, 16);
}
