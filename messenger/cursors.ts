import type { Log } from '#common/log.ts';
import type { DeviceCursor, Marks, MessageStore } from './ports.ts';

const FLUSH_MS = 250;
/** However many have gathered, a transaction stays short: messages may wait for its locks. */
const AT_ONCE = 500;

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
    this.#unsaved.set(key, unsaved === undefined ? cursor : furthest(unsaved, cursor));
    this.#timer ??= setTimeout(() => this.save(), FLUSH_MS).unref();
  }

  /** Saves what was moved until now. Fulfils in any case: what could not be saved is kept for the next time. */
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
      try {
        const marks = await this.#store.saveCursors(unsaved.slice(saved, saved + AT_ONCE));
        if (marks.length > 0) this.#onDelivered(marks);
      } catch (error) {
        this.#log.warn({ err: error }, 'could not save device cursors; trying again');
        for (const cursor of unsaved.slice(saved)) this.#gather(cursor);
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
