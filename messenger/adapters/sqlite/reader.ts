import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Sync } from '#common/sqlite/host.ts';
import { openSqlite } from '#common/sqlite/open.ts';
import { conversationKey } from '../../conversation-id.ts';
import type {
  Commit,
  ConversationSummary,
  Entry,
  JournalPage,
  MessageStore,
  Position,
  Range,
} from '../../ports.ts';
import { MIGRATIONS } from './schema.ts';
import type { WriterPort } from './writer.ts';

const MAX_TEXT = 256 * 1024;

/** The part of the port that reads: a connection of its own, so that reading does not wait for a commit's sync. */
export type ReaderPort = Omit<MessageStore, keyof WriterPort>;

/** Opened in a worker thread, see `hostInWorker`. */
export function open(path: string): SqliteReader {
  return new SqliteReader(openSqlite(path, MIGRATIONS));
}

export class SqliteReader implements Sync<ReaderPort> {
  readonly #db: DatabaseSync;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#sql = prepare(db);
  }

  exists(conversation: string): boolean {
    return this.#sql.exists.get(conversationKey(conversation)) !== undefined;
  }

  positions(user: string, device: string): Position[] {
    return this.#sql.positions.all(device, user) as unknown as Position[];
  }

  entries(ranges: Range[], maxEntries: number): Entry[] {
    const entries: Entry[] = [];
    let text = 0;
    for (const { conversation, after } of ranges) {
      for (const row of this.#sql.entries.iterate(conversationKey(conversation), after)) {
        const entry = toEntry(conversation, row as unknown as EntryRow);
        entries.push(entry);
        text += entry.body.length;
        if (entries.length >= maxEntries || text > MAX_TEXT) return entries;
      }
    }
    return entries;
  }

  conversations(
    user: string,
    before: { sentAt: number; id: string } | undefined,
    limit: number,
  ): ConversationSummary[] {
    const { sentAt, id } = before ?? { sentAt: Number.MAX_SAFE_INTEGER, id: '' };
    const rows = this.#sql.conversations.all(user, sentAt, sentAt, id, limit) as unknown as SummaryRow[];
    return rows.map(({ id, members, lastSeq, createdAt, ...last }) => ({
      id,
      members: JSON.parse(members) as string[],
      lastSeq,
      createdAt,
      lastEntry: toEntry(id, last),
    }));
  }

  journal(cursor: string, limit: number): JournalPage | undefined {
    const batch = cursor === '' ? Number.NaN : Number(cursor);
    const { first, last } = this.#sql.journalEnds.get() as { first: number; last: number };
    if (!(batch >= first - 1 && batch <= last)) return undefined;
    const rows = this.#sql.journal.all(batch, limit) as { batch: number; commits: string }[];
    return {
      commits: rows.flatMap((row) => JSON.parse(row.commits) as Commit[]),
      cursor: String(rows.at(-1)?.batch ?? batch),
    };
  }

  journalEnd(): string {
    return String((this.#sql.journalEnds.get() as { last: number }).last);
  }

  snapshot(afterConversation: string, limit: number): Commit[] {
    const rows = this.#sql.snapshot.all(afterConversation, limit) as unknown as (Omit<Commit, 'members'> & {
      members: string;
    })[];
    return rows.map((row) => ({ ...row, members: JSON.parse(row.members) as string[] }));
  }

  close(): void {
    this.#db.close();
  }
}

function toEntry(conversation: string, { clientTime, ...row }: EntryRow): Entry {
  return { conversation, ...row, clientTime: BigInt(clientTime) };
}

/** A client's clock may hold any 64-bit number, so it is read as text. */
const ENTRY_COLUMNS = `e.seq, e.sender, e.client_id AS clientId, e.sent_at AS sentAt,
  CAST(e.client_time AS TEXT) AS clientTime, e.messages_so_far AS messagesSoFar, e.body`;

function prepare(db: DatabaseSync) {
  const sql = (text: string): StatementSync => db.prepare(text);
  return {
    exists: sql('SELECT 1 FROM conversation WHERE key = ?'),
    positions: sql(`SELECT c.id AS conversation, c.last_seq AS lastSeq, coalesce(d.seq, 0) AS cursor
                    FROM member m JOIN conversation c ON c.key = m.key
                    LEFT JOIN device_cursor d ON d.user = m.user AND d.device = ? AND d.key = m.key
                    WHERE m.user = ?`),
    entries: sql(`SELECT ${ENTRY_COLUMNS} FROM entry e WHERE e.key = ? AND e.seq > ? ORDER BY e.seq`),
    conversations:
      sql(`SELECT c.id, c.members, c.last_seq AS lastSeq, c.created_at AS createdAt, ${ENTRY_COLUMNS}
                        FROM member m JOIN conversation c ON c.key = m.key
                        JOIN entry e ON e.key = c.key AND e.seq = c.last_seq
                        WHERE m.user = ? AND (c.last_sent_at < ? OR (c.last_sent_at = ? AND c.id < ?))
                        ORDER BY c.last_sent_at DESC, c.id DESC LIMIT ?`),
    journalEnds: sql('SELECT coalesce(min(batch), 1) AS first, coalesce(max(batch), 0) AS last FROM journal'),
    journal: sql('SELECT batch, commits FROM journal WHERE batch > ? ORDER BY batch LIMIT ?'),
    snapshot:
      sql(`SELECT id AS conversation, last_seq AS lastSeq, last_sent_at AS sentAt, members FROM conversation
                   WHERE id > ? ORDER BY id LIMIT ?`),
  };
}

type EntryRow = Omit<Entry, 'conversation' | 'clientTime'> & { clientTime: string };
type SummaryRow = EntryRow & { id: string; members: string; lastSeq: number; createdAt: number };
