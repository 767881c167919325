import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ServiceError } from '#common/errors.ts';
import { LIMITS } from './limits.ts';

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

/** The members of a conversation that `user` is in. @throws ServiceError NOT_FOUND for any other, as if it were absent. */
export function requireMember(user: string, conversation: string): string[] {
  const members = conversation.length > LIMITS.conversationId ? undefined : membersOf(conversation);
  if (members?.includes(user)) return members;
  throw new ServiceError('NOT_FOUND', { detail: 'There is no such conversation.' });
}

const REMEMBERED_KEYS = 20_000;
const keys = new LRUCache<string, Uint8Array>({ max: REMEMBERED_KEYS });

/** The key that a conversation is stored under: 16 bytes, evenly spread, so that no part of an index is hot. Not to be changed. */
export function conversationKey(conversation: string): Uint8Array {
  const known = keys.get(conversation);
  if (known !== undefined) return known;
  const key = hash('sha256', conversation, 'buffer').subarray(0, 16);
  keys.set(conversation, key);
  return key;
}

/** A key as text, to look it up by. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}
