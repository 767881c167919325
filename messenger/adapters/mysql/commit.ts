import { LRUCache } from 'lru-cache';
import { isDuplicate } from '#common/mysql/errors.ts';
import { hex, type Sql, sql } from '#common/mysql/sql.ts';
import type { Tx } from '#common/mysql/transaction.ts';
import {
  clientIdKey,
  commitsOf,
  type Head,
  type Original,
  type Plan,
  planCommit,
} from '../../commit-plan.ts';
import { conversationKey, keyText } from '../../conversation-id.ts';
import type { Draft, Outcome } from '../../ports.ts';
import type { JournalLane, Planned } from './journal-lane.ts';

/** For so long after a retry came by, others are expected. */
const RETRIES_EXPECTED_MS = 1_000;
/** For so long after another node wrote to a conversation, it is expected to do so again. */
const CONTENDED_MS = 10_000;
const REMEMBERED_HEADS = 50_000;

/**
 * The batches of messages, see MessageStore.commit. All of it is one round trip, because what must be known is remembered from the batch
 * before, and what must be true is left to the unique indexes: that nobody else has written to the conversation since (the primary key,
 * for then the seq is taken), and that no client id was taken before. Where one of them refuses, the batch is rolled back and run
 * again with the heads read under locks and the client ids looked up. So it is from the start for conversations that other nodes write
 * to as well, and for all while retries come in.
 */
export class Committer {
  readonly #lane: JournalLane;
  readonly #heads = new LRUCache<string, Head>({ max: REMEMBERED_HEADS });
  readonly #contended = new LRUCache<string, true>({ max: REMEMBERED_HEADS, ttl: CONTENDED_MS });
  readonly #connectionsMade: () => number;
  #rememberedAt = 0;
  #looksUpUntil = 0;

  constructor(lane: JournalLane, connectionsMade: () => number) {
    this.#lane = lane;
    this.#connectionsMade = connectionsMade;
  }

  async commit(drafts: Draft[], now: number): Promise<Outcome[]> {
    if (drafts.length === 0) return [];
    const conversations = byKey(drafts);
    let runs = 0;
    let plan: Plan | undefined;
    try {
      const outcomes = await this.#lane.run(now, {
        plan: async (tx) => {
          const isCertain = runs++ > 0 || performance.now() < this.#looksUpUntil;
          const known = isCertain ? undefined : this.#remembered(conversations);
          plan = await planBatch(tx, drafts, conversations, known, now);
          if (known === undefined) this.#learn(plan, conversations);
          return toPlanned(plan, conversations, now);
        },
        again: (error) => runs === 1 && isDuplicate(error),
      });
      if (plan?.outcomes !== outcomes) this.#forget(conversations);
      else for (const [id, head] of plan.heads) this.#heads.set(id, head);
      return outcomes;
    } catch (error) {
      this.#forget(conversations);
      throw error;
    }
  }

  /** What is remembered of the log does not hold any more. */
  forget(): void {
    this.#heads.clear();
  }

  /** Nothing where another server may have taken over, which need not have all that the first one had. */
  #remembered(conversations: Conversations): Map<string, Head> {
    if (this.#rememberedAt !== this.#connectionsMade()) this.#heads.clear();
    this.#rememberedAt = this.#connectionsMade();
    const known = new Map<string, Head>();
    for (const id of conversations.keys()) {
      const head = this.#contended.has(id) ? undefined : this.#heads.get(id);
      if (head !== undefined) known.set(id, head);
    }
    return known;
  }

  /** Why it was right to look. */
  #learn(plan: Plan, conversations: Conversations): void {
    if (plan.outcomes.some(({ kind }) => kind === 'duplicate'))
      this.#looksUpUntil = performance.now() + RETRIES_EXPECTED_MS;
    for (const id of conversations.keys()) {
      const remembered = this.#heads.get(id);
      if (remembered !== undefined && remembered.lastSeq !== plan.before.get(id)?.lastSeq)
        this.#contended.set(id, true);
    }
  }

  #forget(conversations: Conversations): void {
    for (const id of conversations.keys()) this.#heads.delete(id);
  }
}

/** What a batch does, by heads that are known, or else (`known` is undefined) by what is read under locks. */
async function planBatch(
  tx: Tx,
  drafts: Draft[],
  conversations: Conversations,
  known: Map<string, Head> | undefined,
  now: number,
): Promise<Plan> {
  if (known === undefined) {
    const heads = await lock(tx, conversations, now);
    return planCommit(drafts, heads, await findOriginals(tx, drafts, conversations), now);
  }
  const unknown = new Map([...conversations].filter(([id]) => !known.has(id)));
  const heads = unknown.size === 0 ? known : new Map([...known, ...(await lock(tx, unknown, now))]);
  return planCommit(drafts, heads, new Map(), now);
}

function toPlanned(plan: Plan, conversations: Conversations, now: number): Planned<Outcome[]> {
  if (plan.entries.length === 0) return { result: plan.outcomes, writes: [], news: undefined };
  return {
    result: plan.outcomes,
    writes: writes(plan, conversations, now),
    news: { commits: commitsOf(plan), marks: [] },
  };
}

/** By their ids, in the order of their keys. `value`: the key as it stands in SQL. */
type Conversations = Map<string, { key: Uint8Array; value: Sql; members: readonly string[] }>;

/** In the order of their keys: every batch locks in that order, so two of them do not wait for each other. */
function byKey(drafts: Draft[]): Conversations {
  const found: Conversations = new Map();
  for (const { conversation, members } of drafts) {
    if (found.has(conversation)) continue;
    const key = conversationKey(conversation);
    found.set(conversation, { key, value: hex(keyText(key)), members });
  }
  return new Map([...found].sort(([, a], [, b]) => Buffer.compare(a.key, b.key)));
}

async function lock(tx: Tx, conversations: Conversations, now: number): Promise<Map<string, Head>> {
  const heads = new Map<string, Head>();
  const [rows] = await tx.run(lockHeads([...conversations.values()]));
  takeHeads(heads, rows);
  const absent = [...conversations].filter(([id]) => !heads.has(id));
  if (absent.length === 0) return heads;

  // There is no row to lock yet: make it. Whoever makes the same one waits here for us, or we for them.
  const made = absent.map(([id, { key, members }]) => [key, id, JSON.stringify(members), 0, 0, 0, now]);
  const [, lockedRows] = await tx.run(
    sql`INSERT INTO conversation (k, id, members, last_seq, messages_so_far, last_sent_at, created_at) VALUES ${made}
        ON DUPLICATE KEY UPDATE last_seq = last_seq`,
    lockHeads(absent.map(([, conversation]) => conversation)),
  );
  takeHeads(heads, lockedRows);
  return heads;
}

function lockHeads(conversations: { key: Uint8Array }[]): Sql {
  const keys = conversations.map(({ key }) => key);
  return sql`SELECT id, last_seq AS lastSeq, messages_so_far AS messagesSoFar, last_sent_at AS lastSentAt
             FROM conversation WHERE k IN (${keys}) ORDER BY k FOR UPDATE`;
}

/** By the unique index, whatever a server thinks of so long a list. */
async function findOriginals(
  tx: Tx,
  drafts: Draft[],
  conversations: Conversations,
): Promise<Map<string, Original>> {
  const taken = drafts.map(({ conversation, sender, clientId }) => [
    conversationKey(conversation),
    sender,
    clientId,
  ]);
  const [rows] =
    await tx.run(sql`SELECT k, sender, client_id AS clientId, seq, sent_at AS sentAt, LOWER(HEX(content_hash)) AS contentHash
                     FROM entry FORCE INDEX (entry_client_id) WHERE (k, sender, client_id) IN (${taken})`);
  const ids = new Map(Array.from(conversations, ([id, { key }]) => [keyText(key), id]));
  return new Map(
    (rows as unknown[] as OriginalRow[]).map(({ k, sender, clientId, ...original }) => {
      const conversation = ids.get(keyText(k)) ?? '';
      return [clientIdKey({ conversation, sender, clientId }), original];
    }),
  );
}

/** A row that this transaction made itself has no entry yet: to the plan it is new. */
function takeHeads(heads: Map<string, Head>, rows: unknown[] = []): void {
  for (const { id, ...head } of rows as (Head & { id: string })[]) if (head.lastSeq > 0) heads.set(id, head);
}

function writes(plan: Plan, conversations: Conversations, now: number): Sql[] {
  // In key order, like everybody locks them.
  const changed = Array.from(conversations, ([id, { value }]) => ({ id, value, head: plan.heads.get(id) }));
  const heads = changed.flatMap(({ id, value, head }) => {
    if (head === undefined) return [];
    const { members, lastSeq, messagesSoFar, lastSentAt } = head;
    return [[value, id, JSON.stringify(members), lastSeq, messagesSoFar, lastSentAt, now]];
  });
  const entries = plan.entries.map((e) => {
    const { value: key } = conversations.get(e.conversation) as { value: Sql };
    const hash = hex(e.contentHash);
    return [key, e.seq, e.sender, e.clientId, hash, e.sentAt, e.clientTime, e.messagesSoFar, e.body];
  });
  return [
    sql`INSERT INTO conversation (k, id, members, last_seq, messages_so_far, last_sent_at, created_at) VALUES ${heads}
        ON DUPLICATE KEY UPDATE last_seq = VALUES(last_seq), messages_so_far = VALUES(messages_so_far),
          last_sent_at = VALUES(last_sent_at)`,
    sql`INSERT INTO entry (k, seq, sender, client_id, content_hash, sent_at, client_time, messages_so_far, body)
        VALUES ${entries}`,
    sql`INSERT INTO member (user, k, read_seq, read_messages, delivered_seq, revision) VALUES ${memberRows(plan)}
        ON DUPLICATE KEY UPDATE read_messages = GREATEST(read_messages, VALUES(read_messages)),
          read_seq = GREATEST(read_seq, VALUES(read_seq))`,
  ];
}

/** New members, and how far each sender has read by writing; in key order, like everybody locks them. */
function memberRows(plan: Plan) {
  const rows = new Map<string, { user: string; key: Uint8Array; seq: number; messagesSoFar: number }>();
  for (const [id, { isNew, members }] of plan.heads)
    if (isNew)
      for (const user of members)
        rows.set(`${id} ${user}`, { user, key: conversationKey(id), seq: 0, messagesSoFar: 0 });
  for (const { user, conversation, seq, messagesSoFar } of plan.ownReads)
    rows.set(`${conversation} ${user}`, { user, key: conversationKey(conversation), seq, messagesSoFar });
  return [...rows.values()]
    .sort((a, b) => Number(a.user > b.user) - Number(a.user < b.user) || Buffer.compare(a.key, b.key))
    .map(({ user, key, seq, messagesSoFar }) => [user, key, seq, messagesSoFar, 0, 0]);
}

type OriginalRow = Original & Pick<Draft, 'sender' | 'clientId'> & { k: Uint8Array };
