import type { Listed, Page, Suggestion } from '../../ports.ts';
import { lastCounted, NAMES_SHOWN, type Weighed, WHOLE_FRIEND } from '../../suggestions.ts';
import { listed, position } from '../paging.ts';
import type { Statements } from './statements.ts';

/** A page of the people whom `username` may know, see ports.ts. To be called in a transaction. */
export function suggestions(
  statements: Statements,
  username: string,
  { limit, after }: Page,
): Listed<Suggestion> {
  const last = lastCounted(statements.all<Weighed>(BY_FEWEST_FRIENDS, { username })) ?? EVERYBODY;
  const counted = { username, lastFriends: last.friends, lastUsername: last.username };
  const [score, name] = position(after, [Number.MAX_SAFE_INTEGER, '']);
  const rows = statements.all<Ranked>(RANKED, { ...counted, score, after: name, limit: limit + 1 });
  const { items, next } = listed(rows, limit, (row) => [row.score, row.username]);
  const others = JSON.stringify(items.map((item) => item.username));
  const common = Map.groupBy(
    statements.all<{ other: string; friend: string }>(COMMON, { ...counted, others }),
    ({ other }) => other,
  );
  return {
    items: items.map(({ count, ...known }) => {
      const names = (common.get(known.username) ?? []).map(({ friend }) => friend);
      return { ...known, friendsInCommon: { count, names: names.slice(0, NAMES_SHOWN) } };
    }),
    next,
  };
}

const EVERYBODY: Weighed = { username: '', friends: Number.MAX_SAFE_INTEGER };

export const BY_FEWEST_FRIENDS = `
  SELECT p.username, p.friends
  FROM friendship f JOIN person p ON p.username = f.friend
  WHERE f.username = :username
  ORDER BY p.friends, p.username`;

/** CROSS JOIN keeps the order: from me to my friends to theirs, each a range of a primary key. */
const COUNTED = `
  counted AS MATERIALIZED (
    SELECT p.username, p.friends
    FROM friendship f CROSS JOIN person p ON p.username = f.friend
    WHERE f.username = :username AND (p.friends, p.username) <= (:lastFriends, :lastUsername)
  )`;

export const RANKED = `
  WITH ${COUNTED},
  hidden (username) AS (
    SELECT :username
    UNION ALL SELECT friend FROM friendship WHERE username = :username
    UNION ALL SELECT recipient FROM request WHERE sender = :username
    UNION ALL SELECT sender FROM request WHERE recipient = :username
    UNION ALL SELECT other FROM dismissed WHERE username = :username
  ),
  ranked AS (
    SELECT f.friend AS username, sum(${WHOLE_FRIEND} / c.friends) AS score, count(*) AS count
    FROM counted c CROSS JOIN friendship f ON f.username = c.username
    WHERE f.friend NOT IN (SELECT username FROM hidden)
    GROUP BY f.friend
    HAVING score < :score OR (score = :score AND f.friend > :after)
    ORDER BY score DESC, f.friend
    LIMIT :limit
  )
  SELECT r.username, p.display_name AS displayName, r.score, r.count
  FROM ranked r CROSS JOIN person p ON p.username = r.username
  ORDER BY r.score DESC, r.username`;

export const COMMON = `
  WITH ${COUNTED}
  SELECT f.friend AS other, c.username AS friend
  FROM counted c CROSS JOIN friendship f ON f.username = c.username
  WHERE f.friend IN (SELECT value FROM json_each(:others))
  ORDER BY f.friend, c.username`;

interface Ranked {
  username: string;
  displayName: string;
  score: number;
  count: number;
}
