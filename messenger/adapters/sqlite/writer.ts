import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { timeBefore } from '#common/clocks.ts';
import type { Sync } from '#common/sqlite/host.ts';
import { openSqlite, transaction } from '#common/sqlite/open.ts';
import {
  clientIdKey,
  commitsOf,
  type Head,
  type Original,
  type Plan,
  planCommit,
} from '../../commit-plan.ts';
import { conversationKey } from '../../conversation-id.ts';
import { isOfOtherEpoch } from '../../epoch.ts';
import type { Arrival, DeviceCursor, Draft, Marks, MessageStore, Outcome, Reached } from '../../ports.ts';
import { devicesToForget } from '../devices.ts';
import { newEpoch } from '../epoch.ts';
import { isSeq } from '../seq.ts';
import { MIGRATIONS } from './schema.ts';

/** A journal reader that has not been seen for so long no longer holds the journal; it starts anew from a snapshot. */
const READER_LIFETIME_MS = 7 * 24 * 3_600_000;
/** What nobody reads is kept for so long. */
const UNREAD_MS = 3_600_000;
/** Few, because commits wait meanwhile. */
const PRUNED_AT_ONCE = 500;

/** The part of the port that writes; one connection, one thread. */
export type WriterPort = Pick<
  MessageStore,
  'commit' | 'saveCursors' | 'markRead' | 'acknowledgeJournal' | 'pruneJournal' | 'renewEpoch'
> & {
  addDevice(user: string, device: string, arrival: Arrival): Promise<void>;
  seeDevice(user: string, device: string, now: number): Promise<void>;
};

/** Opened in a worker thread, see `hostInWorker`. */
export function open(path: string): SqliteWriter {
  return new SqliteWriter(openSqlite(path, MIGRATIONS));
}

export class SqliteWriter implements Sync<WriterPort> {
  readonly #db: DatabaseSync;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#sql = prepare(db);
  }

  commit(drafts: Draft[], now: number): Outcome[] {
    return transaction(this.#db, () => {
      const plan = planCommit(drafts, this.#heads(drafts), this.#originals(drafts), now);
      if (plan.entries.length > 0) this.#write(plan, now);
      return plan.outcomes;
    });
  }

  saveCursors(cursors: DeviceCursor[]): Marks[] {
    return transaction(this.#db, () =>
      cursors.flatMap(({ user, device, conversation, seq, marksTaken }) => {
        if (!isSeq(seq)) return [];
        const key = conversationKey(conversation);
        this.#sql.saveCursor.run(key, seq, marksTaken, user, device);
        if (this.#sql.deliver.run(seq, user, key, seq).changes === 0) return [];
        this.#stampMarks(user, key);
        return [this.#marks(user, conversation)];
      }),
    );
  }

  markRead(reads: Reached[]): (Marks | undefined)[] {
    return transaction(this.#db, () =>
      reads.map(({ user, conversation, seq }) => {
        const key = conversationKey(conversation);
        const entry = this.#sql.messagesAt.get(key, seq) as { messagesSoFar: number } | undefined;
        if (entry === undefined) return undefined;
        if (this.#sql.read.run(seq, entry.messagesSoFar, user, key, seq).changes > 0) {
          const { revision } = this.#sql.nextRevision.get(user) as { revision: number };
          this.#sql.stamp.run(revision, user, key);
          this.#stampMarks(user, key);
        }
        return this.#marks(user, conversation);
      }),
    );
  }

  /** One whose cursors were kept before devices were has been here for ever. */
  addDevice(user: string, device: string, arrival: Arrival): void {
    const { now, baseAt, maxDevices, openDevices } = arrival;
    transaction(this.#db, () => {
      if (isOfOtherEpoch(arrival, this.#epoch())) this.#forgetDevice(user, device);
      const devices = this.#sql.devices.all(user).map((row) => row.device as string);
      // Another stream of the device was first.
      if (devices.includes(device)) return;
      for (const forgotten of devicesToForget(devices, openDevices, maxDevices))
        this.#forgetDevice(user, forgotten);
      const hasCursors = this.#sql.anyCursor.get(user, device) !== undefined;
      this.#sql.addDevice.run(user, device, hasCursors ? 0 : baseAt, now);
    });
  }

  seeDevice(user: string, device: string, now: number): void {
    this.#sql.seeDevice.run(now, user, device);
  }

  acknowledgeJournal(reader: string, cursor: string, now: number): void {
    this.#sql.saveReader.run(reader, Number(cursor), now);
  }

  pruneJournal(now: number): boolean {
    return transaction(this.#db, () => {
      this.#sql.dropReaders.run(timeBefore(now, READER_LIFETIME_MS));
      const { read } = this.#sql.readByAll.get() as { read: number | null };
      const { until, looked } = this.#sql.prunable.get({
        limit: PRUNED_AT_ONCE,
        read: read ?? 0,
        // What is as old is forgotten, read or not.
        before: timeBefore(now, read === null ? UNREAD_MS : READER_LIFETIME_MS),
      }) as { until: number | null; looked: number };
      if (until === null) return false;
      return this.#sql.prune.run(until).changes === looked && looked === PRUNED_AT_ONCE;
    });
  }

  renewEpoch(from: string): string {
    this.#sql.renewEpoch.run(newEpoch(), from);
    return this.#epoch();
  }

  close(): void {
    this.#db.close();
  }

  #epoch(): string {
    return (this.#sql.epoch.get() as { epoch: string }).epoch;
  }

  #forgetDevice(user: string, device: string): void {
    this.#sql.dropDevice.run(user, device);
    this.#sql.dropCursors.run(user, device);
  }

  #marks(user: string, conversation: string): Marks {
    const row = this.#sql.marks.get(user, conversationKey(conversation)) as unknown as Omit<
      Marks,
      'conversation'
    >;
    return { conversation, ...row };
  }

  /** The next revision of the conversation's marks is the member's. */
  #stampMarks(user: string, key: Uint8Array): void {
    const { revision } = this.#sql.nextMarksRevision.get(key) as { revision: number };
    this.#sql.stampMarks.run(revision, user, key);
  }

  #heads(drafts: Draft[]): Map<string, Head> {
    const heads = new Map<string, Head>();
    for (const { conversation } of drafts) {
      if (heads.has(conversation)) continue;
      const row = this.#sql.head.get(conversationKey(conversation)) as Head | undefined;
      if (row !== undefined) heads.set(conversation, row);
    }
    return heads;
  }

  #originals(drafts: Draft[]): Map<string, Original> {
    const originals = new Map<string, Original>();
    for (const draft of drafts) {
      const key = conversationKey(draft.conversation);
      const row = this.#sql.original.get(key, draft.sender, draft.clientId) as Original | undefined;
      if (row !== undefined) originals.set(clientIdKey(draft), row);
    }
    return originals;
  }

  #write(plan: Plan, now: number): void {
    for (const [id, { isNew, members, lastSeq, messagesSoFar, lastSentAt }] of plan.heads) {
      const key = conversationKey(id);
      if (!isNew) this.#sql.raise.run(lastSeq, messagesSoFar, lastSentAt, key);
      else {
        this.#sql.create.run(key, id, JSON.stringify(members), lastSeq, messagesSoFar, lastSentAt, now);
        for (const member of members) this.#sql.addMember.run(member, key);
      }
    }
    for (const e of plan.entries) {
      const key = conversationKey(e.conversation);
      this.#sql.append.run(
        key,
        e.seq,
        e.sender,
        e.clientId,
        Buffer.from(e.contentHash, 'hex'),
        e.sentAt,
        e.clientTime,
        e.messagesSoFar,
        e.body,
      );
    }
    for (const { user, conversation, seq, messagesSoFar } of plan.ownReads) {
      this.#sql.read.run(seq, messagesSoFar, user, conversationKey(conversation), seq);
    }
    this.#sql.journal.run(now, JSON.stringify(commitsOf(plan)));
  }
}

function prepare(db: DatabaseSync) {
  const sql = (text: string): StatementSync => db.prepare(text);
  return {
    head: sql(`SELECT last_seq AS lastSeq, messages_so_far AS messagesSoFar, last_sent_at AS lastSentAt
               FROM conversation WHERE key = ?`),
    original: sql(`SELECT seq, sent_at AS sentAt, lower(hex(content_hash)) AS contentHash FROM entry
                   WHERE key = ? AND sender = ? AND client_id = ?`),
    create:
      sql(`INSERT INTO conversation (key, id, members, last_seq, messages_so_far, last_sent_at, created_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?)`),
    addMember: sql('INSERT INTO member (user, key) VALUES (?, ?)'),
    raise: sql('UPDATE conversation SET last_seq = ?, messages_so_far = ?, last_sent_at = ? WHERE key = ?'),
    append:
      sql(`INSERT INTO entry (key, seq, sender, client_id, content_hash, sent_at, client_time, messages_so_far, body)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    // Batches are numbered from the journal's own end; the newest is never pruned, so no number comes twice.
    journal: sql(
      'INSERT INTO journal (batch, at, commits) SELECT coalesce(max(batch), 0) + 1, ?, ? FROM journal',
    ),
    saveCursor: sql(`
      INSERT INTO device_cursor (user, device, key, seq, marks_taken)
      SELECT user, device, ?, ?, ? FROM device WHERE user = ? AND device = ?
      ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq), marks_taken = max(marks_taken, excluded.marks_taken)`),
    deliver: sql('UPDATE member SET delivered_seq = ? WHERE user = ? AND key = ? AND delivered_seq < ?'),
    read: sql(
      'UPDATE member SET read_seq = ?, read_messages = ? WHERE user = ? AND key = ? AND read_seq < ?',
    ),
    stamp: sql('UPDATE member SET revision = ? WHERE user = ? AND key = ?'),
    nextRevision: sql(`INSERT INTO person (user, revision) VALUES (?, 1)
                       ON CONFLICT DO UPDATE SET revision = revision + 1 RETURNING revision`),
    stampMarks: sql('UPDATE member SET marks_revision = ? WHERE user = ? AND key = ?'),
    nextMarksRevision: sql(`INSERT INTO conversation_marks (key, revision) VALUES (?, 2)
                            ON CONFLICT DO UPDATE SET revision = revision + 1 RETURNING revision`),
    messagesAt: sql('SELECT messages_so_far AS messagesSoFar FROM entry WHERE key = ? AND seq = ?'),
    marks: sql(`SELECT user AS member, read_seq AS readSeq, delivered_seq AS deliveredSeq, revision,
                  marks_revision AS marksRevision FROM member
                WHERE user = ? AND key = ?`),
    devices: sql('SELECT device FROM device WHERE user = ? ORDER BY seen_at, device'),
    addDevice: sql(
      'INSERT INTO device (user, device, base_at, seen_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    seeDevice: sql('UPDATE device SET seen_at = ? WHERE user = ? AND device = ?'),
    dropDevice: sql('DELETE FROM device WHERE user = ? AND device = ?'),
    anyCursor: sql('SELECT 1 FROM device_cursor WHERE user = ? AND device = ? LIMIT 1'),
    dropCursors: sql('DELETE FROM device_cursor WHERE user = ? AND device = ?'),
    saveReader: sql(`INSERT INTO journal_reader (name, batch, seen_at) VALUES (?, ?, ?)
                     ON CONFLICT DO UPDATE SET batch = excluded.batch, seen_at = excluded.seen_at`),
    dropReaders: sql('DELETE FROM journal_reader WHERE seen_at < ?'),
    readByAll: sql('SELECT min(batch) AS read FROM journal_reader'),
    // Up to the last of the oldest that may go; all before it go with it, or the journal would have a hole. The newest batch stays.
    prunable:
      sql(`SELECT max(batch) FILTER (WHERE batch <= :read OR at < :before) AS until, count(*) AS looked
                   FROM (SELECT batch, at FROM journal WHERE batch < (SELECT max(batch) FROM journal)
                         ORDER BY batch LIMIT :limit)`),
    prune: sql('DELETE FROM journal WHERE batch <= ?'),
    epoch: sql('SELECT epoch FROM log_epoch'),
    renewEpoch: sql('UPDATE log_epoch SET epoch = ? WHERE epoch = ?'),
  };
}
