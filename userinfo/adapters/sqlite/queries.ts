import { MAX_AHEAD_MS } from '#common/clocks.ts';

/** The longer queries of the graph; rows come back in the shapes of ports.ts. */

const PERSON = 'p.username, p.display_name AS displayName, p.about, p.avatar_url AS avatarUrl';

export const PERSON_BY_NAME = `SELECT ${PERSON} FROM person p WHERE p.username = :username`;

/** Terms in order are matches in order, an equal one first. A person shows at the first of their terms that match. */
export const SEARCH = `
  SELECT t.term, ${PERSON}
  FROM term t JOIN person p ON p.username = t.username
  WHERE t.term >= :from AND t.term < :end AND (t.term > :from OR t.username > :username)
    AND NOT EXISTS (
      SELECT 1 FROM term earlier
      WHERE earlier.username = t.username AND earlier.term >= :prefix AND earlier.term < t.term
    )
  ORDER BY t.term, t.username
  LIMIT :limit`;

const FRIENDS_OF = `
  SELECT f.friend AS username, p.display_name AS displayName, f.since, c.at AS lastChatted
  FROM friendship f
  JOIN person p ON p.username = f.friend
  LEFT JOIN chatted c ON c.username = f.username AND c.other = f.friend
  WHERE f.username = :username`;

export const FRIENDS = `${FRIENDS_OF} AND f.friend > :after ORDER BY f.friend LIMIT :limit`;

export const FRIEND = `${FRIENDS_OF} AND f.friend = :friend`;

/** Counting how many friends each has is the schema's doing. */
export const BEFRIEND = `
  INSERT INTO friendship (username, friend, since)
  VALUES (:one, :other, :since), (:other, :one, :since)
  ON CONFLICT DO NOTHING`;

const FRIENDS_IN_COMMON = `
  FROM friendship f
  JOIN friendship g ON g.username = :other AND g.friend = f.friend
  JOIN person p ON p.username = f.friend
  WHERE f.username = :username`;

export const MUTUAL = `
  SELECT p.username, p.display_name AS displayName ${FRIENDS_IN_COMMON} AND f.friend > :after
  ORDER BY f.friend
  LIMIT :limit`;

export const MUTUAL_COUNT = `SELECT count(*) AS count ${FRIENDS_IN_COMMON}`;

export const REQUEST = `
  SELECT p.username, p.display_name AS displayName, r.since
  FROM request r JOIN person p ON p.username = r.recipient
  WHERE r.sender = :from AND r.recipient = :to`;

export const REQUESTS = {
  incoming: requests('recipient', 'sender'),
  outgoing: requests('sender', 'recipient'),
};

export const RECENT_CHATS = `
  SELECT other AS username, at AS lastChatted
  FROM chatted
  WHERE username = :username
  ORDER BY at DESC, other
  LIMIT :limit`;

export const FRIENDS_NEVER_CHATTED_WITH = `
  SELECT f.friend AS username, NULL AS lastChatted
  FROM friendship f
  WHERE f.username = :username
    AND NOT EXISTS (SELECT 1 FROM chatted c WHERE c.username = f.username AND c.other = f.friend)
  ORDER BY f.friend
  LIMIT :limit`;

export const CHATTED = `
  INSERT INTO chatted (username, other, at) VALUES (:one, :other, :at)
  ON CONFLICT DO UPDATE SET at = iif(chatted.at > excluded.at + ${MAX_AHEAD_MS}, excluded.at, max(chatted.at, excluded.at))`;

function requests(me: string, other: string): string {
  return `
    SELECT r.${other} AS username, p.display_name AS displayName, r.since
    FROM request r JOIN person p ON p.username = r.${other}
    WHERE r.${me} = :username AND r.since <= :since AND (r.since < :since OR r.${other} > :after)
    ORDER BY r.since DESC, r.${other}
    LIMIT :limit`;
}
