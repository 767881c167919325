import type { Listed, Page, Suggestion } from '../../ports.ts';
import { lastCounted, MOST_PATHS, type Weighed } from '../../suggestions.ts';
import { listed, position } from '../paging.ts';
import type { Tx } from './connection.ts';
import * as queries from './queries.ts';

/** A page of the people whom `username` may know, see ports.ts. */
export async function suggestions(
  tx: Tx,
  username: string,
  { limit, after }: Page,
): Promise<Listed<Suggestion>> {
  const [reach] = await tx.run<Reach>(queries.REACH, { username });
  if (reach === undefined) return { items: [], next: '' };
  const last = await lastWhoCounts(tx, username, reach);
  const [score, name] = position(after, [Number.MAX_SAFE_INTEGER, '']);
  const rows = await tx.run<Ranked>(queries.SUGGESTIONS, {
    username,
    lastFriends: last.friends,
    lastUsername: last.username,
    hidden: reach.hidden,
    score,
    after: name,
    limit: limit + 1,
  });
  const { items, next } = listed(rows, limit, (row) => [row.score, row.username]);
  return {
    items: items.map(({ count, names, ...suggested }) => ({
      ...suggested,
      friendsInCommon: { count, names },
    })),
    next,
  };
}

/** Whose friends have few friends, as nearly everybody's, needs no look at each of them. */
async function lastWhoCounts(tx: Tx, username: string, { paths }: Reach): Promise<Weighed> {
  if (paths <= MOST_PATHS) return EVERYBODY;
  return lastCounted(await tx.run<Weighed>(queries.BY_FEWEST_FRIENDS, { username })) ?? EVERYBODY;
}

interface Reach {
  paths: number;
  hidden: number;
}

const EVERYBODY: Weighed = { username: '', friends: Number.MAX_SAFE_INTEGER };

interface Ranked {
  username: string;
  displayName: string;
  score: number;
  count: number;
  names: string[];
}
