import type { Mysql, Result, Tx } from '#common/mysql/open.ts';
import { anyOf, type Sql, sql } from '#common/mysql/sql.ts';
import { conversationKey } from '../../conversation-id.ts';
import type { DeviceCursor, Marks, OpenedDevice, Position, Reached } from '../../ports.ts';
import { positionsOf } from './log-reader.ts';

/** The part of the message store that keeps how far people and their devices are. All of it bears to be run again. */
export class MarkKeeper {
  readonly #mysql: Mysql;

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  async saveCursors(cursors: DeviceCursor[]): Promise<Marks[]> {
    if (cursors.length === 0) return [];
    const rows = cursors.map(({ user, device, conversation, seq }) => [
      user,
      device,
      conversationKey(conversation),
      seq,
    ]);
    const furthest = furthestOf(cursors);
    return this.#mysql.transaction(async (tx) => {
      const [members] = await tx.run(lockMembers(furthest));
      const moved = furthest.flatMap((reached) => {
        const marks = markOf(members, reached);
        return marks !== undefined && marks.deliveredSeq < reached.seq
          ? [{ ...marks, deliveredSeq: reached.seq }]
          : [];
      });
      await tx.commit(
        sql`INSERT INTO device_cursor (user, device, k, seq) VALUES ${rows} ON DUPLICATE KEY UPDATE seq = GREATEST(seq, VALUES(seq))`,
        ...moved.map(
          ({ member, conversation, deliveredSeq }) =>
            sql`UPDATE member SET delivered_seq = ${deliveredSeq} WHERE user = ${member} AND k = ${conversationKey(conversation)}`,
        ),
      );
      return moved;
    });
  }

  markRead(reads: Reached[]): Promise<(Marks | undefined)[]> {
    return this.#mysql.transaction(async (tx) => {
      const marks: (Marks | undefined)[] = [];
      for (const read of reads) marks.push(await markOne(tx, read));
      return marks;
    });
  }

  openDevice(user: string, device: string, revision: number): Promise<OpenedDevice> {
    return this.#mysql.transaction(async (tx) => {
      const [added] = await tx.run(
        sql`INSERT INTO device (user, device) VALUES ${[[user, device]]} ON DUPLICATE KEY UPDATE device = VALUES(device)`,
      );
      const isNew = added?.affectedRows === 1;
      if (isNew) await tx.run(startAtEnds(user, device));
      const [positions, marks, person] = await tx.run(
        positionsOf(user, device),
        marksSince(user, revision),
        sql`SELECT revision FROM person WHERE user = ${user}`,
      );
      return {
        isNew,
        positions: positions as unknown[] as Position[],
        marks: marks as unknown[] as Marks[],
        revision: (person?.[0] as { revision: number } | undefined)?.revision ?? 0,
      };
    });
  }
}

async function markOne(tx: Tx, { user, conversation, seq }: Reached): Promise<Marks | undefined> {
  const key = conversationKey(conversation);
  const [entries, members] = await tx.run(
    sql`SELECT messages_so_far AS messagesSoFar FROM entry WHERE k = ${key} AND seq = ${seq}`,
    lockMembers([{ user, conversation, seq }]),
  );
  const entry = entries?.[0] as { messagesSoFar: number } | undefined;
  const marks = markOf(members, { user, conversation });
  if (entry === undefined || marks === undefined || marks.readSeq >= seq) return entry && marks;
  const [, persons] = await tx.run(
    sql`INSERT INTO person (user, revision) VALUES ${[[user, 1]]} ON DUPLICATE KEY UPDATE revision = revision + 1`,
    sql`SELECT revision FROM person WHERE user = ${user}`,
  );
  const [{ revision }] = persons as unknown[] as [{ revision: number }];
  await tx.run(
    sql`UPDATE member SET read_seq = ${seq}, read_messages = ${entry.messagesSoFar}, revision = ${revision}
        WHERE user = ${user} AND k = ${key}`,
  );
  return { ...marks, readSeq: seq, revision };
}

/** The furthest cursor of each person in each conversation, in key order, like everybody locks them. */
function furthestOf(cursors: DeviceCursor[]): Reached[] {
  const furthest = new Map<string, Reached>();
  for (const { user, conversation, seq } of cursors) {
    const id = `${user} ${conversation}`;
    furthest.set(id, { user, conversation, seq: Math.max(seq, furthest.get(id)?.seq ?? 0) });
  }
  return [...furthest.values()];
}

/** The conversation is named by its key in `member`; its id is put back by `markOf`. */
function lockMembers(reached: Reached[]): Sql {
  const rows = reached.map(
    ({ user, conversation }) => sql`(user = ${user} AND k = ${conversationKey(conversation)})`,
  );
  return sql`SELECT user, k, read_seq AS readSeq, delivered_seq AS deliveredSeq, revision FROM member
             WHERE ${anyOf(rows)} ORDER BY user, k FOR UPDATE`;
}

function markOf(
  members: Result | undefined,
  { user, conversation }: Omit<Reached, 'seq'>,
): Marks | undefined {
  const key = conversationKey(conversation);
  const row = (members as unknown[] as MemberRow[]).find(
    (m) => m.user === user && Buffer.compare(m.k, key) === 0,
  );
  if (row === undefined) return undefined;
  const { readSeq, deliveredSeq, revision } = row;
  return { conversation, member: user, readSeq, deliveredSeq, revision };
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
