import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '#common/errors.ts';
import {
  type EpochPlace,
  type EpochStore,
  formatCursor,
  parseCursor,
  type Resumed,
  resumeAt,
} from './epoch.ts';
import type { Commit, JournalPage, MessageStore } from './ports.ts';

export interface CommitFeedOptions {
  store: EpochStore & Pick<MessageStore, 'journal' | 'journalEnd' | 'snapshot' | 'acknowledgeJournal'>;
  /** A reader knew a place beyond the end of the journal, so the log has a new epoch. Must not throw. */
  onRenewed?(): void;
  clock(): number;
  pauses?: Pauses;
}

export interface Pauses {
  /** Under load several hundred batches a second are committed; a reader takes what has gathered. */
  quietMs: number;
  /** The same for a reader that was told something within so long before: reading a journal costs its writers. */
  busyMs: number;
}

const BATCHES_AT_ONCE = 200;
const CONVERSATIONS_AT_ONCE = 1_000;
const PAUSES: Pauses = { quietMs: 100, busyMs: 1_000 };

/** The journal of commits, followed by other services with a cursor. */
export class CommitFeed {
  readonly #options: CommitFeedOptions;
  #news = Promise.withResolvers<void>();

  constructor(options: CommitFeedOptions) {
    this.#options = options;
  }

  /** A batch was committed. */
  notify(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /**
   * Everything after `cursor`, in commit order, and then what comes, until aborted; of a conversation to
   * which several batches of a page wrote, only where it is after them. A cursor that is not (or no longer)
   * in the journal, or of another epoch, starts with a snapshot of all conversations; its pages have no
   * cursor, and what comes meanwhile is kept for `reader`.
   */
  async *follow(cursor: string, signal: AbortSignal, reader?: string): AsyncGenerator<JournalPage> {
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    const { store, onRenewed, pauses } = this.#options;
    let at: Resumed = await resumeAt(cursor, store, onRenewed);
    let toldAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const news = this.#news.promise;
      const page = at.place === undefined ? undefined : await store.journal(at.place, BATCHES_AT_ONCE);
      if (page === undefined) at = yield* this.#snapshot(reader);
      else if (page.cursor !== at.place) {
        const reached = { epoch: at.epoch, place: page.cursor };
        yield { commits: newestOf(page.commits), cursor: formatCursor(reached) };
        at = reached;
        toldAt = performance.now();
      } else {
        await until([news, aborted], page.lookAgainInMs, signal);
        const { quietMs, busyMs } = pauses ?? PAUSES;
        const pause = performance.now() - toldAt < busyMs ? busyMs : quietMs;
        await delay(pause, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }

  /** @throws ServiceError INVALID_REQUEST for a cursor that is none. */
  async acknowledge(reader: string, cursor: string): Promise<void> {
    const { store, clock } = this.#options;
    const { epoch, place } = parseCursor(cursor) ?? { epoch: '', place: cursor };
    const isOfOther = epoch !== '' && epoch !== (await store.epoch());
    if (isOfOther || (await store.journal(place, 0)) === undefined)
      throw new ServiceError('INVALID_REQUEST', { detail: 'cursor: is not one of this feed' });
    await store.acknowledgeJournal(reader, place, clock());
  }

  /**
   * The end of the journal is read first: what is committed meanwhile comes again after it. The reader is noted there, for it has no other
   * place, and others may have read further by the time that it has all conversations.
   */
  async *#snapshot(reader: string | undefined): AsyncGenerator<JournalPage, EpochPlace> {
    const { store, clock } = this.#options;
    const epoch = await store.epoch();
    const end = await store.journalEnd();
    if (reader !== undefined) await store.acknowledgeJournal(reader, end, clock());
    let after = '';
    for (;;) {
      const commits = await store.snapshot(after, CONVERSATIONS_AT_ONCE);
      const last = commits.at(-1);
      if (last === undefined) break;
      yield { commits, cursor: '' };
      after = last.conversation;
    }
    const place = { epoch, place: end };
    yield { commits: [], cursor: formatCursor(place) };
    return place;
  }
}

/** Commits of several nodes may stand in another order than their seqs. */
function newestOf(commits: Commit[]): Commit[] {
  const newest = new Map<string, Commit>();
  for (const commit of commits) {
    const { lastSeq = 0 } = newest.get(commit.conversation) ?? {};
    if (commit.lastSeq > lastSeq) newest.set(commit.conversation, commit);
  }
  return [...newest.values()];
}

/** Until one of them happens, or, where that is given, so much time is over. */
async function until(events: Promise<void>[], ms: number | undefined, signal: AbortSignal): Promise<void> {
  if (ms === undefined) return Promise.race(events);
  const happened = new AbortController();
  const either = AbortSignal.any([signal, happened.signal]);
  await Promise.race([...events, delay(ms, undefined, { signal: either, ref: false }).catch(() => {})]);
  happened.abort();
}
