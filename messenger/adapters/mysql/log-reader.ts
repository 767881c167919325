import type { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import { conversationKey, keyText } from '../../conversation-id.ts';
import type { Commit, ConversationSummary, Entry, Head, Marks, Moment, Range, Unread } from '../../ports.ts';
import { EntryPage, type EntryRow, toEntry } from '../entry-page.ts';
import { type Probe, searchNewestAt } from '../newest-at.ts';

/** How much is read ahead of what fits: little where there are many conversations. */
const ENTRIES_AT_ONCE = 128;
const RANGES_AT_ONCE = 8;
const ENTRIES_OF_EACH = 32;
/** The most places in one statement. */
const PROBES_AT_ONCE = 500;

/** The part of the message store that reads the logs. */
export class LogReader {
  readonly #mysql: Mysql;

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  async heads(conversations: readonly string[]): Promise<Head[]> {
    if (conversations.length === 0) return [];
    const keys = conversations.map(conversationKey);
    return this.#mysql.query<Head>(
      sql`SELECT id AS conversation, last_seq AS lastSeq FROM conversation WHERE k IN (${keys}) AND last_seq > 0`,
    );
  }

  async newestAt(moments: readonly Moment[]): Promise<number[]> {
    const search = searchNewestAt(moments);
    for (let step = search.next(); ; ) {
      if (step.done) return step.value;
      const times = new Map<string, number>();
      for (let i = 0; i < step.value.length; i += PROBES_AT_ONCE)
        for (const { k, seq, sentAt } of await this.#sentAt(step.value.slice(i, i + PROBES_AT_ONCE)))
          times.set(`${seq} ${keyText(k)}`, sentAt);
      step = search.next(
        step.value.map(({ conversation, seq }) =>
          times.get(`${seq} ${keyText(conversationKey(conversation))}`),
        ),
      );
    }
  }

  #sentAt(probes: Probe[]): Promise<{ k: Uint8Array; seq: number; sentAt: number }[]> {
    const places = probes.map(({ conversation, seq }) => [conversationKey(conversation), seq]);
    return this.#mysql.query(sql`SELECT k, seq, sent_at AS sentAt FROM entry WHERE (k, seq) IN (${places})`);
  }

  async marksAfter(ranges: readonly Range[]): Promise<Marks[]> {
    if (ranges.length === 0) return [];
    const after = new Map(ranges.map(({ conversation, after }) => [conversation, after]));
    const rows = await this.#marks(ranges.map(({ conversation }) => conversationKey(conversation)));
    return rows.filter(({ conversation, marksRevision }) => marksRevision > (after.get(conversation) ?? 0));
  }

  async entries(ranges: Range[], maxEntries: number): Promise<Entry[]> {
    const page = new EntryPage(maxEntries);
    const size = ranges.length === 1 ? ENTRIES_AT_ONCE : ENTRIES_OF_EACH;
    for (let i = 0; i < ranges.length && !page.isFull; i += RANGES_AT_ONCE) {
      const some = ranges.slice(i, i + RANGES_AT_ONCE);
      const results = await this.#mysql.queries(...some.map((range) => entriesOf(range, size)));
      for (const [j, range] of some.entries()) {
        if (page.isFull) break;
        await this.#takeAll(page, range, (results[j] ?? []) as EntryRow[], size);
      }
    }
    return page.entries;
  }

  async entriesBefore(conversation: string, seq: number, limit: number): Promise<Entry[]> {
    const page = new EntryPage(limit);
    const key = conversationKey(conversation);
    for (let before = seq; !page.isFull; ) {
      const rows = await this.#mysql.query<EntryRow>(
        sql`SELECT ${COLUMNS} FROM entry e WHERE e.k = ${key} AND e.seq < ${before} ORDER BY e.seq DESC LIMIT ${ENTRIES_AT_ONCE}`,
      );
      page.take(conversation, rows);
      if (rows.length < ENTRIES_AT_ONCE) break;
      before = rows.at(-1)?.seq ?? 0;
    }
    return page.entries;
  }

  async conversations(
    user: string,
    before: { sentAt: number; id: string } | undefined,
    limit: number,
  ): Promise<ConversationSummary[]> {
    const { sentAt, id } = before ?? { sentAt: Number.MAX_SAFE_INTEGER, id: '' };
    // The page first, then its newest entries: a person with many conversations does not read them all.
    const rows = await this.#mysql.query<SummaryRow>(sql`
      SELECT page.*, ${COLUMNS} FROM (
        SELECT c.k, c.id, c.members, c.last_seq AS lastSeq, c.last_sent_at, c.created_at AS createdAt,
               c.messages_so_far - m.read_messages AS unread
        FROM member m JOIN conversation c ON c.k = m.k
        WHERE m.user = ${user} AND (c.last_sent_at < ${sentAt} OR (c.last_sent_at = ${sentAt} AND c.id < ${id}))
        ORDER BY c.last_sent_at DESC, c.id DESC LIMIT ${limit}
      ) page JOIN entry e ON e.k = page.k AND e.seq = page.lastSeq
      ORDER BY page.last_sent_at DESC, page.id DESC`);
    if (rows.length === 0) return [];
    const marks = Map.groupBy(await this.#marks(rows.map(({ k }) => k)), ({ conversation }) => conversation);
    return rows.map((row) => toSummary(row, marks.get(row.id) ?? []));
  }

  async unread(user: string): Promise<Unread> {
    const [unread] = await this.#mysql.query<Unread>(sql`
      SELECT CAST(COALESCE(SUM(unread), 0) AS SIGNED) AS messages, COUNT(*) AS conversations FROM (
        SELECT c.messages_so_far - m.read_messages AS unread FROM member m JOIN conversation c ON c.k = m.k
        WHERE m.user = ${user}
      ) each_one WHERE unread > 0`);
    return unread ?? { messages: 0, conversations: 0 };
  }

  async snapshot(afterConversation: string, limit: number): Promise<Commit[]> {
    const rows = await this.#mysql.query<Omit<Commit, 'members'> & { members: string }>(
      sql`SELECT id AS conversation, last_seq AS lastSeq, last_sent_at AS sentAt, members FROM conversation
          WHERE id > ${afterConversation} ORDER BY id LIMIT ${limit}`,
    );
    return rows.map((row) => ({ ...row, members: JSON.parse(row.members) as string[] }));
  }

  async #takeAll(page: EntryPage, { conversation }: Range, first: EntryRow[], size: number): Promise<void> {
    for (let rows = first; ; ) {
      page.take(conversation, rows);
      const last = rows.at(-1);
      if (page.isFull || last === undefined || rows.length < size) return;
      rows = await this.#mysql.query<EntryRow>(entriesOf({ conversation, after: last.seq }, size));
    }
  }

  #marks(keys: Uint8Array[]): Promise<Marks[]> {
    return this.#mysql.query<Marks>(sql`
      SELECT c.id AS conversation, m.user AS member, m.read_seq AS readSeq, m.delivered_seq AS deliveredSeq, m.revision,
             m.marks_revision AS marksRevision
      FROM conversation c JOIN member m ON m.k = c.k WHERE c.k IN (${keys}) ORDER BY m.user`);
  }
}

function entriesOf({ conversation, after }: Range, limit: number): Sql {
  return sql`SELECT ${COLUMNS} FROM entry e WHERE e.k = ${conversationKey(conversation)} AND e.seq > ${after}
             ORDER BY e.seq LIMIT ${limit}`;
}

function toSummary({ id, members, lastSeq, createdAt, unread, ...last }: SummaryRow, marks: Marks[]) {
  const lastEntry = toEntry(id, last);
  return { id, members: JSON.parse(members) as string[], lastSeq, createdAt, lastEntry, unread, marks };
}

const COLUMNS = sql`e.seq, e.sender, e.client_id AS clientId, e.sent_at AS sentAt, e.client_time AS clientTime,
  e.messages_so_far AS messagesSoFar, e.body`;

type SummaryRow = EntryRow & {
  k: Uint8Array;
  id: string;
  members: string;
  lastSeq: number;
  createdAt: number;
  unread: number;
};
