import { ServiceError } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import { type SplitBatch, splitBatch } from '#common/split-batch.ts';
import type { BatchObserver, SendCounts } from './metrics.ts';
import type { Draft, Entry, MessageStore, Outcome } from './ports.ts';
import { earlierRefused } from './send-order.ts';

/** Hears once what became of a draft. Must not throw or wait. (A promise for each of them would cost more than all checks of a send.) */
export interface DraftListener {
  committed(outcome: Outcome): void;
  /** By what the store rejects with: after UNAVAILABLE it may be recorded. */
  failed(error: unknown): void;
  /**
   * Asked when the draft's turn comes: true where it must not be committed any more, because one before it
   * failed.
   */
  isOvertaking?: (() => boolean) | undefined;
}

export interface LaneOptions {
  store: Pick<MessageStore, 'commit'>;
  /** Hears of every batch's new entries, in commit order, before the batch is acknowledged. Must not throw. */
  onCommitted(entries: Entry[]): void;
  /** Hears of drafts that had been committed before, perhaps when nobody could tell: with the place of each. Must not throw. */
  onRepeated?(heads: Pick<Entry, 'conversation' | 'seq'>[]): void;
  clock(): number;
  /** Ms that only grow, see common/clocks.ts. */
  steady(): number;
  /**
   * An entry is dated more than a minute before the one before it, this much (ms): a clock was wrong. Must
   * not throw.
   */
  onDatedBack?(byMs: number): void;
  /** What becomes of the drafts is counted here, and each batch is told to `observer`. */
  counts?: SendCounts;
  observer?: BatchObserver;
  /** Drafts that the store refuses are noted here. */
  log?: Log;
}

/** Half of what waits goes at once, within these bounds: the store works on one half while the senders of the other one are told. */
const LEAST_DRAFTS = 256;
const MAX_BATCH_DRAFTS = 512;
const MAX_BATCH_TEXT = 1024 * 1024;
/** Beyond this much waiting work a send is refused: the store is slower than its senders. */
const MAX_QUEUED_DRAFTS = 50_000;
const MAX_QUEUED_TEXT = 64 * 1024 * 1024;
/** Acknowledged in one turn of the event loop: the first senders go on while the last ones of a batch are told. +15 % with 32 in flight. */
const ACKNOWLEDGED_AT_ONCE = 128;
/** So many more turns of the loop are waited for, at most, while each of them brings more drafts, and they are few. */
const MAX_TURNS = 8;
const FEW_DRAFTS = 32;
/** After a batch that took so long to fail, ms, whatever waited behind it is refused too: its senders have waited enough. */
const LONG_MS = 1_000;

/**
 * Group commit. Drafts that arrive in one turn of the event loop, or while a commit is in flight, go together in the next
 * transaction, or half of them where they are many; a lone draft goes at once where it was alone before. One commit is in flight at
 * a time, which orders all batches.
 * The idea is that of a database's own group commit (DeWitt et al., 1984), moved in front of it.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #counts: SendCounts;
  #queue: Waiting[] = [];
  #queuedText = 0;
  #isCommitting = false;
  /** The last batch held several drafts. */
  #isShared = false;
  /** Committed, in their order, and each in a turn of the loop. */
  #unacknowledged: Committed[] = [];

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#counts = options.counts ?? { committed: 0, repeated: 0, failed: 0, refused: 0 };
  }

  /** How many drafts wait for a commit, those of the one in flight not counted. */
  get depth(): number {
    return this.#queue.length;
  }

  /**
   * Commits a draft with others. Drafts are committed in the order of the calls; one that is overtaking by
   * then fails with EARLIER_REFUSED.
   * @throws ServiceError OVERLOADED when too much is waiting.
   */
  submit(draft: Draft, listener: DraftListener): void {
    if (this.#queue.length >= MAX_QUEUED_DRAFTS || this.#queuedText >= MAX_QUEUED_TEXT) {
      this.#counts.refused++;
      throw new ServiceError('OVERLOADED', { retryAfterMs: 500 });
    }
    this.#queue.push({ draft, listener });
    this.#queuedText += draft.body.length;
    if (!this.#isCommitting) this.#begin();
  }

  #begin(): void {
    this.#isCommitting = true;
    this.#gather(MAX_TURNS, 0);
  }

  /**
   * Whatever else arrives in this turn of the loop joins the batch; and where senders come together, also what comes in the next turns,
   * while something does: else the first one to come back would be committed alone, and all others wait for it.
   */
  #gather(turns: number, before: number): void {
    setImmediate(() => {
      const { length } = this.#queue;
      if (this.#isShared && turns > 0 && length > before && length < FEW_DRAFTS)
        this.#gather(turns - 1, length);
      else this.#commitNext();
    });
  }

  #commitNext(): void {
    if (this.#queue.length === 0) {
      this.#isCommitting = false;
      return;
    }
    const batch = this.#takeInOrder();
    this.#isShared = batch.length > 1;
    const { steady } = this.#options;
    const startedAt = steady();
    splitBatch(batch, (part) => this.#commit(part)).then(({ done, refused, left }) => {
      const isLong = left !== undefined && steady() - startedAt > LONG_MS;
      const behind = isLong ? this.#takeAll() : [];
      // Before the next batch, in which others may wait that must not overtake them.
      if (left !== undefined) this.#fail([...left.items, ...behind], left.error);
      // The store works on the next batch while this one's acknowledgements are written out.
      this.#commitNext();
      for (const { items, result } of done) this.#acknowledgeInTurn(items, result);
      this.#refuse(refused);
    });
  }

  async #commit(part: Waiting[]): Promise<Outcome[]> {
    const { store, clock, steady, observer } = this.#options;
    const startedAt = steady();
    const outcomes = await store.commit(
      part.map(({ draft }) => draft),
      clock(),
    );
    observer?.committed(part.length, (steady() - startedAt) / 1_000);
    return outcomes;
  }

  /** Drafts that the store cannot take, each for an error of its own. */
  #refuse(refused: SplitBatch<Waiting, Outcome[]>['refused']): void {
    const [first] = refused;
    if (first === undefined) return;
    const { conversation, sender } = first.item.draft;
    this.#options.log?.error(
      { err: first.error, conversation, sender, count: refused.length },
      'the store refuses drafts; the first of them is named',
    );
    for (const { item, error } of refused) this.#fail([item], error);
  }

  #fail(drafts: Waiting[], error: unknown): void {
    this.#counts.failed += drafts.length;
    for (const { listener } of drafts) listener.failed(error);
  }

  /** The next batch; it is empty where all in it would overtake others. */
  #takeInOrder(): Waiting[] {
    const batch = this.#take();
    const overtaking = batch.filter(({ listener }) => listener.isOvertaking?.());
    if (overtaking.length === 0) return batch;
    this.#fail(overtaking, earlierRefused());
    return batch.filter((waiting) => !overtaking.includes(waiting));
  }

  #take(): Waiting[] {
    const limit = Math.min(MAX_BATCH_DRAFTS, Math.max(LEAST_DRAFTS, this.#queue.length / 2));
    let count = 0;
    let text = 0;
    while (count < this.#queue.length && count < limit && text < MAX_BATCH_TEXT) {
      text += this.#queue[count++]?.draft.body.length ?? 0;
    }
    this.#queuedText -= text;
    return this.#queue.splice(0, count);
  }

  #takeAll(): Waiting[] {
    this.#queuedText = 0;
    return this.#queue.splice(0);
  }

  /** At once where nothing waits; else a turn later, and never before what was committed earlier. */
  #acknowledgeInTurn(batch: Waiting[], outcomes: Outcome[]): void {
    const isFirst = this.#unacknowledged.length === 0;
    if (isFirst && !this.#isCommitting && batch.length <= ACKNOWLEDGED_AT_ONCE) {
      this.#acknowledge({ batch, outcomes });
      return;
    }
    if (isFirst) setImmediate(() => this.#acknowledgeNext());
    for (let from = 0; from < batch.length; from += ACKNOWLEDGED_AT_ONCE) {
      const to = from + ACKNOWLEDGED_AT_ONCE;
      this.#unacknowledged.push({ batch: batch.slice(from, to), outcomes: outcomes.slice(from, to) });
    }
  }

  #acknowledgeNext(): void {
    const next = this.#unacknowledged.shift();
    if (this.#unacknowledged.length > 0) setImmediate(() => this.#acknowledgeNext());
    if (next !== undefined) this.#acknowledge(next);
  }

  #acknowledge({ batch, outcomes }: Committed): void {
    const entries: Entry[] = [];
    const repeated: Pick<Entry, 'conversation' | 'seq'>[] = [];
    for (const [i, { draft }] of batch.entries()) {
      const outcome = outcomes[i];
      if (outcome?.kind === 'committed') {
        entries.push(toEntry(draft, outcome));
        if (outcome.datedBackMs !== undefined) this.#options.onDatedBack?.(outcome.datedBackMs);
      } else if (outcome !== undefined) repeated.push({ conversation: draft.conversation, seq: outcome.seq });
    }
    this.#counts.committed += entries.length;
    this.#counts.repeated += batch.length - entries.length;
    if (entries.length > 0) this.#options.onCommitted(entries);
    if (repeated.length > 0) this.#options.onRepeated?.(repeated);
    for (const [i, { listener }] of batch.entries()) {
      const outcome = outcomes[i];
      if (outcome) listener.committed(outcome);
      else listener.failed(new Error('the store answered fewer outcomes than drafts'));
    }
  }
}

function toEntry(draft: Draft, { seq, sentAt, messagesSoFar }: Outcome & { kind: 'committed' }): Entry {
  const { conversation, sender, clientId, clientTime, body } = draft;
  return { conversation, seq, sender, clientId, sentAt, clientTime, messagesSoFar, body };
}

interface Waiting {
  draft: Draft;
  listener: DraftListener;
}

interface Committed {
  batch: Waiting[];
  outcomes: Outcome[];
}
