import { ServiceError } from '#common/errors.ts';
import type { BatchObserver, SendCounts } from './metrics.ts';
import type { Draft, Entry, MessageStore, Outcome } from './ports.ts';

export interface LaneOptions {
  store: Pick<MessageStore, 'commit'>;
  /** Hears of every batch's new entries, in commit order, before the batch is acknowledged. Must not throw. */
  onCommitted(entries: Entry[]): void;
  /** Hears of drafts that had been committed before, perhaps when nobody could tell: with the place of each. Must not throw. */
  onRepeated?(heads: Pick<Entry, 'conversation' | 'seq'>[]): void;
  clock(): number;
  /** What becomes of the drafts is counted here, and each batch is told to `observer`. */
  counts?: SendCounts;
  observer?: BatchObserver;
}

const MAX_BATCH_DRAFTS = 512;
const MAX_BATCH_TEXT = 1024 * 1024;
/** Beyond this much waiting work a send is refused: the store is slower than its senders. */
const MAX_QUEUED_DRAFTS = 50_000;
const MAX_QUEUED_TEXT = 64 * 1024 * 1024;
/** After a batch that took so long to fail, ms, whatever waited behind it is refused too: its senders have waited enough. */
const LONG_MS = 1_000;

/**
 * Group commit. Drafts that arrive in one turn of the event loop, or while a commit is in flight, go together in the next
 * transaction; a lone draft goes at once. One commit is in flight at a time, which orders all batches.
 * The idea is that of a database's own group commit (DeWitt et al., 1984), moved in front of it.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #counts: SendCounts;
  #queue: Waiting[] = [];
  #queuedText = 0;
  #isCommitting = false;
  /** Committed batches whose turn to be acknowledged comes. */
  #unacknowledged = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#counts = options.counts ?? { committed: 0, repeated: 0, failed: 0, refused: 0 };
  }

  /** How many drafts wait for a commit, those of the one in flight not counted. */
  get depth(): number {
    return this.#queue.length;
  }

  /**
   * Commits a draft with others. Drafts are committed in the order of the calls.
   * @throws ServiceError OVERLOADED when too much is waiting; what the store rejects with: after UNAVAILABLE it may be recorded.
   */
  submit(draft: Draft): Promise<Outcome> {
    if (this.#queue.length >= MAX_QUEUED_DRAFTS || this.#queuedText >= MAX_QUEUED_TEXT) {
      this.#counts.refused++;
      return Promise.reject(new ServiceError('OVERLOADED', { retryAfterMs: 500 }));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    this.#queue.push({ draft, resolve, reject });
    this.#queuedText += draft.body.length;
    if (!this.#isCommitting) this.#begin();
    return promise;
  }

  #begin(): void {
    this.#isCommitting = true;
    // Whatever else arrives in this turn of the loop joins the batch.
    setImmediate(() => this.#commitNext());
  }

  #commitNext(): void {
    if (this.#queue.length === 0) {
      this.#isCommitting = false;
      return;
    }
    const batch = this.#take();
    const drafts = batch.map(({ draft }) => draft);
    const { store, clock, observer } = this.#options;
    const startedAt = performance.now();
    const now = clock();
    store.commit(drafts, now).then(
      (outcomes) => {
        observer?.committed(batch.length, (performance.now() - startedAt) / 1_000);
        // The store works on the next batch while this one's acknowledgements are written out.
        this.#commitNext();
        this.#acknowledgeInTurn(batch, outcomes);
      },
      (error: unknown) => {
        const refused = clock() - now > LONG_MS ? [...batch, ...this.#takeAll()] : batch;
        this.#commitNext();
        this.#counts.failed += refused.length;
        for (const { reject } of refused) reject(error);
      },
    );
  }

  #take(): Waiting[] {
    let count = 0;
    let text = 0;
    while (count < this.#queue.length && count < MAX_BATCH_DRAFTS && text < MAX_BATCH_TEXT) {
      text += this.#queue[count++]?.draft.body.length ?? 0;
    }
    this.#queuedText -= text;
    return this.#queue.splice(0, count);
  }

  #takeAll(): Waiting[] {
    this.#queuedText = 0;
    return this.#queue.splice(0);
  }

  /** At once where nothing waits; else a turn later, and never before an earlier batch. */
  #acknowledgeInTurn(batch: Waiting[], outcomes: Outcome[]): void {
    if (!this.#isCommitting && this.#unacknowledged === 0) this.#acknowledge(batch, outcomes);
    else {
      this.#unacknowledged++;
      setImmediate(() => {
        this.#unacknowledged--;
        this.#acknowledge(batch, outcomes);
      });
    }
  }

  #acknowledge(batch: Waiting[], outcomes: Outcome[]): void {
    const entries: Entry[] = [];
    const repeated: Pick<Entry, 'conversation' | 'seq'>[] = [];
    for (const [i, { draft }] of batch.entries()) {
      const outcome = outcomes[i];
      if (outcome?.kind === 'committed') entries.push(toEntry(draft, outcome));
      else if (outcome !== undefined) repeated.push({ conversation: draft.conversation, seq: outcome.seq });
    }
    this.#counts.committed += entries.length;
    this.#counts.repeated += batch.length - entries.length;
    if (entries.length > 0) this.#options.onCommitted(entries);
    if (repeated.length > 0) this.#options.onRepeated?.(repeated);
    for (const [i, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[i];
      if (outcome) resolve(outcome);
      else reject(new Error('the store answered fewer outcomes than drafts'));
    }
  }
}

function toEntry(draft: Draft, { seq, sentAt, messagesSoFar }: Outcome & { kind: 'committed' }): Entry {
  const { conversation, sender, clientId, clientTime, body } = draft;
  return { conversation, seq, sender, clientId, sentAt, clientTime, messagesSoFar, body };
}

interface Waiting {
  draft: Draft;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}
