import type { Log } from '#common/log.ts';
import { splitBatch } from '#common/split-batch.ts';
import type { DeviceCursor, Marks, MessageStore } from './ports.ts';

const FLUSH_MS = 250;
/** However many have gathered, a transaction stays short: messages may wait for its locks. */
const AT_ONCE = 500;
/** Beyond this many unsaved cursors the oldest are given up: their devices hear some entries again. */
const MAX_UNSAVED = 100_000;

/**
 * Where devices are, gathered and saved a few times a second: a cursor that is lost with the process costs a repeat with
 * the same seq, never a message.
 */
export class Cursors implements AsyncDisposable {
  readonly #store: Pick<MessageStore, 'saveCursors'>;
  readonly #onDelivered: (marks: Marks[]) => void;
  readonly #log: Log;
  readonly #onAck: () => void;
  #unsaved = new Map<string, DeviceCursor>();
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  /** `onDelivered` hears of the delivered marks that moved with the cursors, `onAck` of each acknowledgement. */
  constructor(
    store: Pick<MessageStore, 'saveCursors'>,
    onDelivered: (marks: Marks[]) => void,
    log: Log,
    onAck: () => void = () => {},
  ) {
    this.#store = store;
    this.#onDelivered = onDelivered;
    this.#log = log;
    this.#onAck = onAck;
  }

  /** The device has everything of the conversation up to `seq`. Cursors only move forward. */
  move(cursor: DeviceCursor): void {
    this.#onAck();
    this.#gather(cursor);
  }

  #gather(cursor: DeviceCursor): void {
    const key = `${cursor.user} ${cursor.conversation} ${cursor.device}`;
    const unsaved = this.#unsaved.get(key);
    if (unsaved === undefined) this.#makeRoom();
    this.#unsaved.set(key, unsaved === undefined ? cursor : furthest(unsaved, cursor));
    this.#timer ??= setTimeout(() => this.save(), FLUSH_MS).unref();
  }

  #makeRoom(): void {
    const [oldest] = this.#unsaved.keys();
    if (oldest !== undefined && this.#unsaved.size >= MAX_UNSAVED) this.#unsaved.delete(oldest);
  }

  /**
   * Saves what was moved until now. Fulfils in any case: what could not be saved is kept for the next time, but for a cursor that the
   * store cannot take.
   */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#saveOnce());
    return this.#saving;
  }

  async #saveOnce(): Promise<void> {
    const unsaved = [...this.#unsaved.values()];
    this.#unsaved = new Map();
    for (let saved = 0; saved < unsaved.length; saved += AT_ONCE) {
      const batch = unsaved.slice(saved, saved + AT_ONCE);
      const { done, refused, left } = await splitBatch(batch, (part) => this.#store.saveCursors(part));
      for (const { result: marks } of done) if (marks.length > 0) this.#onDelivered(marks);
      const [first] = refused;
      if (first !== undefined)
        this.#log.error(
          { err: first.error, ...first.item, count: refused.length },
          'the store refuses device cursors; they are dropped, and the first of them is named',
        );
      if (left !== undefined) {
        this.#log.warn({ err: left.error }, 'could not save device cursors; trying again');
        for (const cursor of [...left.items, ...unsaved.slice(saved + AT_ONCE)]) this.#gather(cursor);
        return;
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.save();
  }
}

function furthest(a: DeviceCursor, b: DeviceCursor): DeviceCursor {
  return { ...a, seq: Math.max(a.seq, b.seq), marksTaken: Math.max(a.marksTaken, b.marksTaken) };
}
