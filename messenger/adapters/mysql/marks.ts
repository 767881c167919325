import type { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import type { Result, Tx } from '#common/mysql/transaction.ts';
import { conversationKey, keyText } from '../../conversation-id.ts';
import type { DeviceCursor, Marks, News, Reached, StatePage } from '../../ports.ts';
import { isSeq } from '../seq.ts';
import { STATE_ROWS, toStatePage } from '../state-page.ts';
import type { JournalLane, Planned } from './journal-lane.ts';

/** The part of the message store that keeps how far people and their devices are. All of it bears to be run again. */
export class MarkKeeper {
  readonly #mysql: Mysql;
  readonly #lane: JournalLane;
  readonly #clock: () => number;

  constructor(mysql: Mysql, lane: JournalLane, clock: () => number) {
    this.#mysql = mysql;
    this.#lane = lane;
    this.#clock = clock;
  }

  async saveCursors(given: DeviceCursor[]): Promise<Marks[]> {
    const cursors = given.filter(({ seq }) => isSeq(seq));
    if (cursors.length === 0) return [];
    const furthest = furthestOf(cursors);
    return this.#write(async (tx) => {
      const [members, devices] = await tx.run(lockMembers(furthest), devicesOf(cursors));
      const find = markFinder(members);
      const delivered = furthest.flatMap((reached) => {
        const marks = find(reached);
        return marks !== undefined && marks.deliveredSeq < reached.seq
          ? [{ ...marks, deliveredSeq: reached.seq }]
          : [];
      });
      const moved = await stamped(tx, delivered);
      const known = new Set((devices as unknown[] as DeviceRow[]).map((row) => keyOf(row.user, row.device)));
      const saved = saveCursors(cursors.filter(({ user, device }) => known.has(keyOf(user, device))));
      return { result: moved, writes: [...saved, ...moved.map(deliver)], news: newsOf(moved) };
    });
  }

  async markRead(reads: Reached[]): Promise<(Marks | undefined)[]> {
    if (reads.length === 0) return [];
    return this.#write(async (tx) => {
      const [entries, members] = await tx.run(messagesAt(reads), lockMembers(furthestOf(reads)));
      const find = markFinder(members);
      const messagesOf = messageCounts(entries);
      const moved = new Map<string, Marks & { messagesSoFar: number }>();
      for (const { user, conversation, seq } of reads) {
        const messagesSoFar = messagesOf(conversation, seq);
        const marks = moved.get(keyOf(user, conversation)) ?? find({ user, conversation });
        if (messagesSoFar !== undefined && marks !== undefined && marks.readSeq < seq)
          moved.set(keyOf(user, conversation), { ...marks, readSeq: seq, messagesSoFar });
      }
      const revisions = await nextRevisions(tx, [...moved.values()]);
      const revised = Array.from(moved.values(), ({ messagesSoFar: _, ...marks }) => {
        return { ...marks, revision: revisions.get(marks.member) ?? 0 };
      });
      const after = new Map(
        (await stamped(tx, revised)).map((marks) => [keyOf(marks.member, marks.conversation), marks]),
      );
      const writes = Array.from(after, ([key, marks]) => read(marks, moved.get(key)?.messagesSoFar ?? 0));
      return {
        result: reads.map(({ user, conversation, seq }) => {
          if (messagesOf(conversation, seq) === undefined) return undefined;
          return after.get(keyOf(user, conversation)) ?? find({ user, conversation });
        }),
        writes,
        news: newsOf([...after.values()]),
      };
    });
  }

  #write<T>(plan: (tx: Tx) => Promise<Planned<T>>): Promise<T> {
    return this.#lane.run(this.#clock(), { plan });
  }

  /** The revision first: what is read after it holds everything up to it. */
  async stateAfter(user: string, revision: number): Promise<StatePage> {
    const [person, rows] = await this.#mysql.queries(
      sql`SELECT revision FROM person WHERE user = ${user}`,
      sql`SELECT c.id AS conversation, m.user AS member, m.read_seq AS readSeq, m.delivered_seq AS deliveredSeq,
                 m.revision, m.marks_revision AS marksRevision
          FROM member m JOIN conversation c ON c.k = m.k WHERE m.user = ${user} AND m.revision > ${revision}
          ORDER BY m.revision LIMIT ${STATE_ROWS}`,
    );
    return toStatePage(rows as unknown[] as Marks[], (person?.[0] as PersonRow | undefined)?.revision ?? 0);
  }
}

/** One more for each person whose marks move. */
async function nextRevisions(tx: Tx, moved: Marks[]): Promise<Map<string, number>> {
  const users = [...new Set(moved.map(({ member }) => member))].sort();
  if (users.length === 0) return new Map();
  const [, rows] = await tx.run(
    sql`INSERT INTO person (user, revision) VALUES ${users.map((user) => [user, 1])} ON DUPLICATE KEY UPDATE revision = revision + 1`,
    sql`SELECT user, revision FROM person WHERE user IN (${users})`,
  );
  return new Map((rows as unknown[] as PersonRow[]).map(({ user, revision }) => [user, revision]));
}

/**
 * With the next revisions of their conversations' marks, each its own. Members' rows are locked before those of revisions, and these in the order
 * of their keys, so that two batches do not wait for each other.
 */
async function stamped(tx: Tx, moved: Marks[]): Promise<Marks[]> {
  if (moved.length === 0) return [];
  const groups = [...Map.groupBy(moved, ({ conversation }) => conversation)]
    .map(([conversation, marks]) => ({ key: conversationKey(conversation), marks }))
    .sort((a, b) => Buffer.compare(a.key, b.key));
  const rows = groups.map(({ key, marks }) => [key, 1 + marks.length]);
  const keys = groups.map(({ key }) => key);
  const [, revisions] = await tx.run(
    sql`INSERT INTO conversation_marks (k, revision) VALUES ${rows}
        ON DUPLICATE KEY UPDATE revision = revision + VALUES(revision) - 1`,
    sql`SELECT k, revision FROM conversation_marks WHERE k IN (${keys})`,
  );
  const last = new Map(
    (revisions as unknown[] as { k: Uint8Array; revision: number }[]).map((row) => [
      keyText(row.k),
      row.revision,
    ]),
  );
  return groups.flatMap(({ key, marks }) => {
    const before = (last.get(keyText(key)) ?? 0) - marks.length;
    return marks.map((mark, i) => ({ ...mark, marksRevision: before + 1 + i }));
  });
}

function saveCursors(cursors: DeviceCursor[]): Sql[] {
  if (cursors.length === 0) return [];
  const rows = cursors.map(({ user, device, conversation, seq, marksTaken }) => {
    return [user, device, conversationKey(conversation), seq, marksTaken];
  });
  return [
    sql`INSERT INTO device_cursor (user, device, k, seq, marks_taken) VALUES ${rows}
        ON DUPLICATE KEY UPDATE seq = GREATEST(seq, VALUES(seq)), marks_taken = GREATEST(marks_taken, VALUES(marks_taken))`,
  ];
}

/** Locked, so that none is forgotten before its cursor is written. */
function devicesOf(cursors: DeviceCursor[]): Sql {
  const devices = new Map(cursors.map(({ user, device }) => [keyOf(user, device), [user, device]]));
  return sql`SELECT user, device FROM device WHERE (user, device) IN (${[...devices.values()]}) FOR UPDATE`;
}

function deliver({ member, conversation, deliveredSeq, marksRevision }: Marks): Sql {
  return sql`UPDATE member SET delivered_seq = ${deliveredSeq}, marks_revision = ${marksRevision} WHERE user = ${member} AND k = ${conversationKey(conversation)}`;
}

function read({ member, conversation, readSeq, revision, marksRevision }: Marks, messagesSoFar: number): Sql {
  return sql`UPDATE member SET read_seq = ${readSeq}, read_messages = ${messagesSoFar}, revision = ${revision},
               marks_revision = ${marksRevision}
             WHERE user = ${member} AND k = ${conversationKey(conversation)}`;
}

function newsOf(marks: Marks[]): News | undefined {
  return marks.length === 0 ? undefined : { commits: [], marks };
}

function messagesAt(reads: Reached[]): Sql {
  const places = reads.map(({ conversation, seq }) => [conversationKey(conversation), seq]);
  return sql`SELECT k, seq, messages_so_far AS messagesSoFar FROM entry WHERE (k, seq) IN (${places})`;
}

function messageCounts(
  entries: Result | undefined,
): (conversation: string, seq: number) => number | undefined {
  const rows = entries as unknown[] as { k: Uint8Array; seq: number; messagesSoFar: number }[];
  const counts = new Map(rows.map(({ k, seq, messagesSoFar }) => [`${seq} ${keyText(k)}`, messagesSoFar]));
  return (conversation, seq) => counts.get(`${seq} ${keyText(conversationKey(conversation))}`);
}

function keyOf(user: string, conversation: string): string {
  return `${user} ${conversation}`;
}

/** The furthest that each person has come in each conversation, in key order, like everybody locks them. */
function furthestOf(reached: Reached[]): Reached[] {
  const furthest = new Map<string, Reached>();
  for (const { user, conversation, seq } of reached) {
    const key = keyOf(user, conversation);
    furthest.set(key, { user, conversation, seq: Math.max(seq, furthest.get(key)?.seq ?? 0) });
  }
  return [...furthest.values()];
}

/** The server locks the rows in the order of the primary key, whatever the order of the list. */
function lockMembers(reached: Reached[]): Sql {
  const keys = reached.map(({ user, conversation }) => [user, conversationKey(conversation)]);
  return sql`SELECT user, k, read_seq AS readSeq, delivered_seq AS deliveredSeq, revision, marks_revision AS marksRevision
             FROM member
             WHERE (user, k) IN (${keys}) ORDER BY user, k FOR UPDATE`;
}

/** The rows name a conversation by its key only; the id comes back from who asks. */
function markFinder(members: Result | undefined): (of: Omit<Reached, 'seq'>) => Marks | undefined {
  const rows = new Map(
    (members as unknown[] as MemberRow[]).map((row) => [keyOf(row.user, keyText(row.k)), row]),
  );
  return ({ user, conversation }) => {
    const row = rows.get(keyOf(user, keyText(conversationKey(conversation))));
    if (row === undefined) return undefined;
    const { readSeq, deliveredSeq, revision, marksRevision } = row;
    return { conversation, member: user, readSeq, deliveredSeq, revision, marksRevision };
  };
}

type MemberRow = Omit<Marks, 'conversation' | 'member'> & { user: string; k: Uint8Array };

interface PersonRow {
  user: string;
  revision: number;
}

interface DeviceRow {
  user: string;
  device: string;
}
