import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Sync } from '#common/sqlite/host.ts';
import { openSqlite } from '#common/sqlite/open.ts';
import { conversationKey } from '../../conversation-id.ts';
import type {
  Commit,
  ConversationSummary,
  Entry,
  Head,
  JournalPage,
  Marks,
  MessageStore,
  Moment,
  OpenedDevice,
  Position,
  Range,
  StatePage,
  Unread,
} from '../../ports.ts';
import { EntryPage, type EntryRow, toEntry } from '../entry-page.ts';
import { searchNewestAt } from '../newest-at.ts';
import { STATE_ROWS, toStatePage } from '../state-page.ts';
import { MIGRATIONS } from './schema.ts';
import type { WriterPort } from './writer.ts';

/** The part of the port that reads: a connection of its own, so that reading does not wait for a commit's sync. */
export type ReaderPort = Omit<MessageStore, keyof WriterPort | 'openDevice'> & {
  /** Undefined for a device that is not known. */
  device(user: string, device: string): Promise<KnownDevice | undefined>;
};

export interface KnownDevice extends OpenedDevice {
  /** Ms since the epoch. */
  seenAt: number;
}

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

  heads(conversations: readonly string[]): Head[] {
    return conversations.flatMap((conversation) => {
      const head = this.#sql.head.get(conversationKey(conversation)) as { lastSeq: number } | undefined;
      return head === undefined ? [] : [{ conversation, lastSeq: head.lastSeq }];
    });
  }

  device(user: string, device: string): KnownDevice | undefined {
    const known = this.#sql.device.get(user, device) as { baseAt: number; seenAt: number } | undefined;
    if (known === undefined) return undefined;
    const { revision } = (this.#sql.revision.get(user) as { revision: number } | undefined) ?? {
      revision: 0,
    };
    const rows = this.#sql.positions.all(device, user) as unknown as PositionRow[];
    return {
      ...known,
      epoch: this.epoch(),
      revision,
      positions: rows.map((row) => ({ ...row, cursor: row.cursor ?? undefined })),
    };
  }

  newestAt(moments: readonly Moment[]): number[] {
    const search = searchNewestAt(moments);
    for (let step = search.next(); ; ) {
      if (step.done) return step.value;
      step = search.next(step.value.map(({ conversation, seq }) => this.#sentAt(conversation, seq)));
    }
  }

  stateAfter(user: string, revision: number): StatePage {
    const person = this.#sql.revision.get(user) as { revision: number } | undefined;
    const rows = this.#sql.stateAfter.all(user, revision, STATE_ROWS) as unknown as Marks[];
    return toStatePage(rows, person?.revision ?? 0);
  }

  marksAfter(ranges: readonly Range[]): Marks[] {
    return ranges.flatMap(({ conversation, after }) => this.#marks(conversation, after));
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
      marks: this.#marks(id, 0),
    }));
  }

  unread(user: string): Unread {
    return this.#sql.unread.get(user) as unknown as Unread;
  }

  journal(cursor: string, limit: number): JournalPage | undefined {
    const batch = BATCH.test(cursor) ? Number(cursor) : Number.NaN;
    const { first, last } = this.#sql.journalEnds.get() as { first: number; last: number };
    if (!(batch >= first - 1 && batch <= last)) return undefined;
    const page: JournalPage = { commits: [], cursor: String(batch) };
    let text = 0;
    for (const row of this.#sql.journal.iterate(batch, limit)) {
      const { batch, commits } = row as { batch: number; commits: string };
      page.commits.push(...(JSON.parse(commits) as Commit[]));
      page.cursor = String(batch);
      text += commits.length;
      if (text >= MAX_JOURNAL_TEXT) break;
    }
    return page;
  }

  journalEnd(): string {
    return String((this.#sql.journalEnds.get() as { last: number }).last);
  }

  isBeyondJournal(cursor: string): boolean {
    return BATCH.test(cursor) && Number(cursor) > Number(this.journalEnd());
  }

  epoch(): string {
    return (this.#sql.epoch.get() as { epoch: string }).epoch;
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

  #marks(conversation: string, after: number): Marks[] {
    const rows: unknown[] = this.#sql.marks.all(conversationKey(conversation), after);
    return (rows as Omit<Marks, 'conversation'>[]).map((row) => ({ conversation, ...row }));
  }

  #sentAt(conversation: string, seq: number): number | undefined {
    const row = this.#sql.sentAt.get(conversationKey(conversation), seq) as { sentAt: number } | undefined;
    return row?.sentAt;
  }
}

/** Text of a page of the journal, after which it counts as full. */
const MAX_JOURNAL_TEXT = 1024 * 1024;
const BATCH = /^\d{1,15}$/;

/** A client's clock may hold any 64-bit number, so it is read as text. */
const ENTRY_COLUMNS = `e.seq, e.sender, e.client_id AS clientId, e.sent_at AS sentAt,
  CAST(e.client_time AS TEXT) AS clientTime, e.messages_so_far AS messagesSoFar, e.body`;

function prepare(db: DatabaseSync) {
  const sql = (text: string): StatementSync => db.prepare(text);
  return {
    head: sql('SELECT last_seq AS lastSeq FROM conversation WHERE key = ?'),
    device: sql('SELECT base_at AS baseAt, seen_at AS seenAt FROM device WHERE user = ? AND device = ?'),
    revision: sql('SELECT revision FROM person WHERE user = ?'),
    positions: sql(`
      SELECT c.id AS conversation, c.last_seq AS lastSeq, c.created_at AS createdAt, c.last_sent_at AS lastSentAt,
             d.seq AS cursor, coalesce(d.marks_taken, 0) AS marksTaken, coalesce(r.revision, 1) AS marksRevision
      FROM member m JOIN conversation c ON c.key = m.key
      LEFT JOIN device_cursor d ON d.user = m.user AND d.device = ? AND d.key = m.key
      LEFT JOIN conversation_marks r ON r.key = m.key
      WHERE m.user = ?`),
    sentAt: sql('SELECT sent_at AS sentAt FROM entry WHERE key = ? AND seq = ?'),
    stateAfter: sql(`
      SELECT c.id AS conversation, m.user AS member, m.read_seq AS readSeq, m.delivered_seq AS deliveredSeq,
             m.revision, m.marks_revision AS marksRevision
      FROM member m JOIN conversation c ON c.key = m.key WHERE m.user = ? AND m.revision > ?
      ORDER BY m.revision LIMIT ?`),
    entries: sql(`SELECT ${ENTRY_COLUMNS} FROM entry e WHERE e.key = ? AND e.seq > ? ORDER BY e.seq`),
    entriesBefore: sql(
      `SELECT ${ENTRY_COLUMNS} FROM entry e WHERE e.key = ? AND e.seq < ? ORDER BY e.seq DESC`,
    ),
    marks: sql(`
      SELECT user AS member, read_seq AS readSeq, delivered_seq AS deliveredSeq, revision, marks_revision AS marksRevision
      FROM member WHERE key = ? AND marks_revision > ? ORDER BY user`),
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
    epoch: sql('SELECT epoch FROM log_epoch'),
    snapshot:
      sql(`SELECT id AS conversation, last_seq AS lastSeq, last_sent_at AS sentAt, members FROM conversation
                   WHERE id > ? ORDER BY id LIMIT ?`),
  };
}

type PositionRow = Omit<Position, 'cursor'> & { cursor: number | null };

type SummaryRow = EntryRow & {
  id: string;
  members: string;
  lastSeq: number;
  createdAt: number;
  unread: number;
};
