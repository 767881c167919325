import type { Friend, FriendRequest } from '../../ports.ts';
import { pairs } from './batches.ts';
import type { Tx } from './connection.ts';
import * as queries from './queries.ts';

/** What is between two people, to be read and changed while both are locked. */

export async function friend(tx: Tx, username: string, other: string): Promise<Friend | undefined> {
  return (await tx.run<Friend>(queries.FRIEND, { username, other }))[0];
}

/** What `username` has asked `other`. */
export async function request(tx: Tx, username: string, other: string): Promise<FriendRequest | undefined> {
  return (await tx.run<FriendRequest>(queries.REQUEST, { username, other }))[0];
}

export async function befriendIfAsked(
  tx: Tx,
  username: string,
  from: string,
  now: number,
): Promise<Friend | undefined> {
  if ((await request(tx, from, username)) === undefined) return undefined;
  await deleted(tx, queries.FORGET_REQUESTS, username, from);
  await tx.run(queries.BEFRIEND, { friendships: pairs([{ one: username, other: from, since: now }]) });
  return friend(tx, username, from);
}

/** Whether a statement that tells how many it `deleted` did so. */
export async function deleted(tx: Tx, statement: string, username: string, other: string): Promise<boolean> {
  return ((await tx.run<{ deleted: number }>(statement, { username, other }))[0]?.deleted ?? 0) > 0;
}
