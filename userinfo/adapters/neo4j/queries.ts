import { MAX_AHEAD_MS } from '#common/clocks.ts';
import { NAMES_SHOWN, WHOLE_FRIEND } from '../../suggestions.ts';

/** The statements of the graph; rows come back in the shapes of ports.ts. The schema is told in schema.ts. */

/**
 * Neo4j lets a transaction see what others commit meanwhile. Writing to a node locks it until the end, so what is read after this
 * stays as it is. `$usernames` are in order, so that two transactions do not wait for each other.
 */
export const LOCK = `
  UNWIND $usernames AS username
  MATCH (p:Person {username: username})
  SET p.locked = true`;

export const CURSOR = 'MATCH (f:Feed {name: $feed}) RETURN f.cursor AS cursor';

export const MOVE_CURSOR = 'MERGE (f:Feed {name: $feed}) SET f.cursor = $cursor';

export const FORGET_CURSOR = 'MATCH (f:Feed {name: $feed}) DELETE f';

/** Locks each before looking whether they are known; `$people` has each once, in order. */
export const SEED = `
  UNWIND $people AS new
  MERGE (p:Person {username: new.username})
  SET p.locked = true
  WITH p, new WHERE p.displayName IS NULL
  SET p.displayName = new.displayName, p.about = '', p.avatarUrl = ''
  WITH p, new
  UNWIND new.terms AS term
  CREATE (p)-[:FOUND_BY]->(:Term {term: term, username: p.username})`;

const PERSON =
  'p.username AS username, p.displayName AS displayName, p.about AS about, p.avatarUrl AS avatarUrl';

export const PERSON_BY_NAME = `
  MATCH (p:Person {username: $username}) WHERE p.displayName IS NOT NULL
  RETURN ${PERSON}`;

export const DESCRIBE = `
  MATCH (p:Person {username: $username}) WHERE p.displayName IS NOT NULL
  SET p += $fields
  RETURN ${PERSON}`;

export const FORGET_TERMS = 'MATCH (:Person {username: $username})-[:FOUND_BY]->(t:Term) DETACH DELETE t';

export const FIND_BY = `
  MATCH (p:Person {username: $username})
  UNWIND $terms AS term
  CREATE (p)-[:FOUND_BY]->(:Term {term: term, username: $username})`;

/** Terms in order are matches in order, an equal one first. A person shows at the first of their terms that match. */
export const SEARCH = `
  MATCH (t:Term) USING INDEX SEEK t:Term(term, username)
  WHERE t.term STARTS WITH $prefix AND t.username IS NOT NULL
    AND (t.term > $from OR (t.term = $from AND t.username > $username))
  MATCH (p:Person)-[:FOUND_BY]->(t)
  WHERE NOT EXISTS { MATCH (p)-[:FOUND_BY]->(earlier:Term) WHERE earlier.term STARTS WITH $prefix AND earlier.term < t.term }
  WITH t.term AS term, t.username AS position, p
  ORDER BY term, position
  LIMIT $limit
  RETURN term, ${PERSON}`;

const FRIEND_COLUMNS =
  'p.username AS username, p.displayName AS displayName, f.since AS since, c.at AS lastChatted';

export const FRIENDS = `
  MATCH (me:Person {username: $username})-[f:FRIEND]-(p:Person) WHERE p.username > $after
  WITH me, f, p ORDER BY p.username LIMIT $limit
  OPTIONAL MATCH (me)-[c:LAST_CHATTED]-(p)
  RETURN ${FRIEND_COLUMNS}
  ORDER BY username`;

export const FRIEND = `
  MATCH (me:Person {username: $username})-[f:FRIEND]-(p:Person {username: $other})
  OPTIONAL MATCH (me)-[c:LAST_CHATTED]-(p)
  RETURN ${FRIEND_COLUMNS}`;

/** `$username` asked, and is listed `$other`. */
export const REQUEST = `
  MATCH (:Person {username: $username})-[r:ASKED]->(p:Person {username: $other})
  RETURN p.username AS username, p.displayName AS displayName, r.since AS since`;

export const REQUESTS = {
  incoming: requests('<-[r:ASKED]-'),
  outgoing: requests('-[r:ASKED]->'),
};

export const ASK = `
  MATCH (me:Person {username: $username}), (p:Person {username: $other})
  CREATE (me)-[:ASKED {since: $now}]->(p)`;

export const FORGET_REQUESTS = `
  MATCH (:Person {username: $username})-[r:ASKED]-(:Person {username: $other})
  DELETE r
  RETURN count(*) AS deleted`;

export const UNFRIEND = `
  MATCH (:Person {username: $username})-[f:FRIEND]-(:Person {username: $other})
  DELETE f
  RETURN count(*) AS deleted`;

/** MERGE locks the two before it makes them friends; `$friendships` have the lower username as `one`. */
export const BEFRIEND = `
  UNWIND $friendships AS friendship
  MATCH (one:Person {username: friendship.one}), (other:Person {username: friendship.other})
  MERGE (one)-[f:FRIEND]->(other)
  ON CREATE SET f.since = friendship.since`;

const FRIENDS_IN_COMMON = `
  MATCH (me:Person {username: $username}), (they:Person {username: $other})
  MATCH (me)-[:FRIEND]-(p:Person)-[:FRIEND]-(they)`;

export const MUTUAL = `
  ${FRIENDS_IN_COMMON}
  WHERE p.username > $after
  RETURN p.username AS username, p.displayName AS displayName
  ORDER BY username
  LIMIT $limit`;

export const MUTUAL_COUNT = `${FRIENDS_IN_COMMON} RETURN count(*) AS count`;

/** How many friends somebody has is kept with the node by Neo4j: counting them reads none of them. */
const FRIENDS_OF_C = 'COUNT { (c)-[:FRIEND]-() }';

/** How many friendships one's friends have together, and how many people are not to be suggested, oneself included. */
export const REACH = `
  MATCH (me:Person {username: $username})
  RETURN COUNT { (me)-[:FRIEND|ASKED]-() } + COUNT { (me)-[:DISMISSED]->() } + 1 AS hidden,
    reduce(paths = 0, more IN [(me)-[:FRIEND]-(c) | ${FRIENDS_OF_C}] | paths + more) AS paths`;

export const BY_FEWEST_FRIENDS = `
  MATCH (:Person {username: $username})-[:FRIEND]-(c:Person)
  RETURN c.username AS username, ${FRIENDS_OF_C} AS friends
  ORDER BY friends, username`;

/**
 * Whether somebody is hidden is dear to ask for thousands, so it is asked only of the best: among the first `$limit + $hidden` are as many
 * as wanted of those who are not.
 */
export const SUGGESTIONS = `
  MATCH (me:Person {username: $username})-[:FRIEND]-(c)
  WITH me, c, ${FRIENDS_OF_C} AS friends
  WHERE friends < $lastFriends OR (friends = $lastFriends AND c.username <= $lastUsername)
  WITH me, c, ${WHOLE_FRIEND} / friends AS weight
  MATCH (c)-[:FRIEND]-(p)
  WITH me, p, sum(weight) AS score, collect(c) AS common
  WITH me, p, p.username AS username, score, common
  WHERE score < $score OR (score = $score AND username > $after)
  WITH me, p, username, score, common ORDER BY score DESC, username LIMIT $limit + $hidden
  WHERE p <> me AND NOT EXISTS { (me)-[:FRIEND|ASKED]-(p) } AND NOT EXISTS { (me)-[:DISMISSED]->(p) }
  WITH p, username, score, common ORDER BY score DESC, username LIMIT $limit
  RETURN username, p.displayName AS displayName, score, size(common) AS count,
    COLLECT { UNWIND common AS c WITH c.username AS name ORDER BY name LIMIT ${NAMES_SHOWN} RETURN name } AS names
  ORDER BY score DESC, username`;

export const DISMISS_SUGGESTION = `
  MATCH (me:Person {username: $username}), (p:Person {username: $other})
  MERGE (me)-[:DISMISSED]->(p)`;

export const RECENT_CHATS = `
  MATCH (:Person {username: $username})-[c:LAST_CHATTED]-(p:Person)
  RETURN p.username AS username, c.at AS lastChatted
  ORDER BY lastChatted DESC, username
  LIMIT $limit`;

export const FRIENDS_NEVER_CHATTED_WITH = `
  MATCH (me:Person {username: $username})-[:FRIEND]-(p:Person)
  WHERE NOT EXISTS { (me)-[:LAST_CHATTED]-(p) }
  RETURN p.username AS username, null AS lastChatted
  ORDER BY username
  LIMIT $limit`;

/** Locks each pair's time before looking at it; `$chats` have each pair once, the lower username as `one`, in order. */
export const CHATTED = `
  UNWIND $chats AS chat
  MERGE (one:Person {username: chat.one})
  MERGE (other:Person {username: chat.other})
  MERGE (one)-[c:LAST_CHATTED]->(other)
  SET c.locked = true
  WITH c, chat WHERE c.at IS NULL OR c.at < chat.at OR c.at > chat.at + ${MAX_AHEAD_MS}
  SET c.at = chat.at`;

export const FORGET_SOME_CHATS = `
  MATCH ()-[c:LAST_CHATTED]->()
  WITH c LIMIT $limit
  DELETE c
  RETURN count(*) AS deleted`;

function requests(asked: string): string {
  return `
    MATCH (:Person {username: $username})${asked}(p:Person)
    WHERE r.since < $since OR (r.since = $since AND p.username > $after)
    RETURN p.username AS username, p.displayName AS displayName, r.since AS since
    ORDER BY since DESC, username
    LIMIT $limit`;
}
