import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Sync } from '#common/sqlite/host.ts';
import { openSqlite } from '#common/sqlite/open.ts';
import { conversationKey } from '../../conversation-id.ts';
import type {
  Commit,
  ConversationSummary,
  Entry,
  JournalPage,
  Marks,
  MessageStore,
  Position,
  Range,
  Unread,
} from '../../ports.ts';
import { EntryPage, type EntryRow, toEntry } from '../entry-page.ts';
import { MIGRATIONS, POSITIONS } from './schema.ts';
import type { WriterPort } from './writer.ts';

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
    const page = new EntryPage(maxEntries);
    for (const { conversation, after } of ranges) {
      page.take(conversation, this.#sql.entries.iterate(conversationKey(conversation), after));
      if (page.isFull) break;
    }
    return page.entries;
  }

  entriesBefore(conversation: string, seq: number, limit: number): Entry[] {
    const page = new EntryPage(limit);
    page.take(conversation, this.#sql.entriesBefore.iterate(conversationKey(conversation), seq));
    return page.entries;
  }

  conversations(
    user: string,
    before: { sentAt: number; id: string } | undefined,
    limit: number,
  ): ConversationSummary[] {
    const { sentAt, id } = before ?? { sentAt: Number.MAX_SAFE_INTEGER, id: '' };
    const rows = this.#sql.conversations.all(user, sentAt, sentAt, id, limit) as unknown as SummaryRow[];
    return rows.map(({ id, members, lastSeq, createdAt, unread, ...last }) => ({
      id,
      members: JSON.parse(members) as string[],
      lastSeq,
      createdAt,
      lastEntry: toEntry(id, last),
      unread,
      marks: this.#marks(id),
    }));
  }

  unread(user: string): Unread {
    return this.#sql.unread.get(user) as unknown as Unread;
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

  #marks(conversation: string): Marks[] {
    const rows = this.#sql.marks.all(conversationKey(conversation)) as unknown as Omit<
      Marks,
      'conversation'
    >[];
    return rows.map((row) => ({ conversation, ...row }));
  }
}

/** A client's clock may hold any 64-bit number, so it is read as text. */
const ENTRY_COLUMNS = `e.seq, e.sender, e.client_id AS clientId, e.sent_at AS sentAt,
  CAST(e.client_time AS TEXT) AS clientTime, e.messages_so_far AS messagesSoFar, e.body`;

function prepare(db: DatabaseSync) {
  const sql = (text: string): StatementSync => db.prepare(text);
  return {
    exists: sql('SELECT 1 FROM conversation WHERE key = ?'),
    positions: sql(POSITIONS),
    entries: sql(`SELECT ${ENTRY_COLUMNS} FROM entry e WHERE e.key = ? AND e.seq > ? ORDER BY e.seq`),
    entriesBefore: sql(
      `SELECT ${ENTRY_COLUMNS} FROM entry e WHERE e.key = ? AND e.seq < ? ORDER BY e.seq DESC`,
    ),
    marks:
      sql(`SELECT user AS member, read_seq AS readSeq, delivered_seq AS deliveredSeq, revision FROM member
                WHERE key = ? ORDER BY user`),
    // The page first, then its newest entries: a person with many conversations does not read them all.
    conversations: sql(`
      SELECT page.*, ${ENTRY_COLUMNS} FROM (
        SELECT c.key, c.id, c.members, c.last_seq AS lastSeq, c.last_sent_at, c.created_at AS createdAt,
               c.messages_so_far - m.read_messages AS unread
        FROM member m JOIN conversation c ON c.key = m.key
        WHERE m.user = ? AND (c.last_sent_at < ? OR (c.last_sent_at = ? AND c.id < ?))
        ORDER BY c.last_sent_at DESC, c.id DESC LIMIT ?
      ) page JOIN entry e ON e.key = page.key AND e.seq = page.lastSeq
      ORDER BY page.last_sent_at DESC, page.id DESC`),
    unread: sql(`
      SELECT coalesce(sum(unread), 0) AS messages, count(*) AS conversations FROM (
        SELECT c.messages_so_far - m.read_messages AS unread FROM member m JOIN conversation c ON c.key = m.key
        WHERE m.user = ?
      ) WHERE unread > 0`),
    journalEnds: sql('SELECT coalesce(min(batch), 1) AS first, coalesce(max(batch), 0) AS last FROM journal'),
    journal: sql('SELECT batch, commits FROM journal WHERE batch > ? ORDER BY batch LIMIT ?'),
    snapshot:
      sql(`SELECT id AS conversation, last_seq AS lastSeq, last_sent_at AS sentAt, members FROM conversation
                   WHERE id > ? ORDER BY id LIMIT ?`),
  };
}

type SummaryRow = EntryRow & {
  id: string;
  members: string;
  lastSeq: number;
  createdAt: number;
  unread: number;
};
