import type { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import type { Result, Tx } from '#common/mysql/transaction.ts';
import { conversationKey, keyText } from '../../conversation-id.ts';
import type { DeviceCursor, Marks, News, OpenedDevice, Position, Reached } from '../../ports.ts';
import type { JournalLane, Planned } from './journal-lane.ts';
import { positionsOf } from './log-reader.ts';

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

  async saveCursors(cursors: DeviceCursor[]): Promise<Marks[]> {
    if (cursors.length === 0) return [];
    const rows = cursors.map(({ user, device, conversation, seq }) => [
      user,
      device,
      conversationKey(conversation),
      seq,
    ]);
    const saved = sql`INSERT INTO device_cursor (user, device, k, seq) VALUES ${rows} ON DUPLICATE KEY UPDATE seq = GREATEST(seq, VALUES(seq))`;
    const furthest = furthestOf(cursors);
    return this.#write(async (tx) => {
      const [members] = await tx.run(lockMembers(furthest));
      const find = markFinder(members);
      const moved = furthest.flatMap((reached) => {
        const marks = find(reached);
        return marks !== undefined && marks.deliveredSeq < reached.seq
          ? [{ ...marks, deliveredSeq: reached.seq }]
          : [];
      });
      return { result: moved, writes: [saved, ...moved.map(deliver)], news: newsOf(moved) };
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
      const after = new Map(
        Array.from(moved, ([key, { messagesSoFar, ...marks }]) => {
          return [key, { ...marks, revision: revisions.get(marks.member) ?? 0 }];
        }),
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

  async openDevice(user: string, device: string, revision: number): Promise<OpenedDevice> {
    const state = [
      positionsOf(user, device),
      marksSince(user, revision),
      sql`SELECT revision FROM person WHERE user = ${user}`,
    ];
    const known = sql`SELECT 1 FROM device WHERE user = ${user} AND device = ${device}`;
    // A device that comes back needs no transaction: 5,000 at once are back a fifth sooner.
    const [isKnown, ...found] = await this.#mysql.queries(known, ...state);
    if (isKnown?.length === 1) return toOpened(false, found);
    return this.#mysql.transaction(async (tx) => {
      const [added] = await tx.run(
        sql`INSERT INTO device (user, device) VALUES ${[[user, device]]} ON DUPLICATE KEY UPDATE device = VALUES(device)`,
      );
      const isNew = added?.affectedRows === 1;
      if (isNew) await tx.run(startAtEnds(user, device));
      return toOpened(isNew, await tx.run(...state));
    });
  }
}

function toOpened(isNew: boolean, [positions, marks, person]: Result[]): OpenedDevice {
  return {
    isNew,
    positions: positions as unknown[] as Position[],
    marks: marks as unknown[] as Marks[],
    revision: (person?.[0] as { revision: number } | undefined)?.revision ?? 0,
  };
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

function deliver({ member, conversation, deliveredSeq }: Marks): Sql {
  return sql`UPDATE member SET delivered_seq = ${deliveredSeq} WHERE user = ${member} AND k = ${conversationKey(conversation)}`;
}

function read({ member, conversation, readSeq, revision }: Marks, messagesSoFar: number): Sql {
  return sql`UPDATE member SET read_seq = ${readSeq}, read_messages = ${messagesSoFar}, revision = ${revision}
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
  return sql`SELECT user, k, read_seq AS readSeq, delivered_seq AS deliveredSeq, revision FROM member
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
    const { readSeq, deliveredSeq, revision } = row;
    return { conversation, member: user, readSeq, deliveredSeq, revision };
  };
}

function startAtEnds(user: string, device: string): Sql {
  return sql`
    INSERT INTO device_cursor (user, device, k, seq)
    SELECT m.user, ${device}, m.k, c.last_seq FROM member m JOIN conversation c ON c.k = m.k WHERE m.user = ${user}
    ON DUPLICATE KEY UPDATE device_cursor.seq = device_cursor.seq`;
}

function marksSince(user: string, revision: number): Sql {
  return sql`
    SELECT c.id AS conversation, m.user AS member, m.read_seq AS readSeq, m.delivered_seq AS deliveredSeq, m.revision
    FROM member mine JOIN conversation c ON c.k = mine.k JOIN member m ON m.k = mine.k
    WHERE mine.user = ${user} AND (m.user <> ${user} OR m.revision > ${revision})`;
}

type MemberRow = Omit<Marks, 'conversation' | 'member'> & { user: string; k: Uint8Array };

interface PersonRow {
  user: string;
  revision: number;
}
