import type { Log } from '#common/log.ts';
import { splitBatch } from '#common/split-batch.ts';
import type { DeviceCursor, Marks, MessageStore } from './ports.ts';
import { UserQueue } from './user-queue.ts';

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
  readonly #unsaved = new UserQueue<DeviceCursor>();
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<unknown> = Promise.resolve();
  /** The ends of the transactions that are under way, by the users whose cursors are in them. */
  readonly #underWay = new Map<string, Promise<unknown>>();

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
    const { user, device, conversation } = cursor;
    const key = `${conversation} ${device}`;
    const unsaved = this.#unsaved.get(user, key);
    if (unsaved === undefined && this.#unsaved.size >= MAX_UNSAVED) this.#unsaved.take(1);
    this.#unsaved.set(user, key, unsaved === undefined ? cursor : furthest(unsaved, cursor));
    this.#timer ??= setTimeout(() => this.save(), FLUSH_MS).unref();
  }

  /**
   * Saves what was moved until now, users in turns. Fulfils in any case: what could not be saved is kept for the next time, but for a cursor
   * that the store cannot take.
   */
  async save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#saveAll());
    await this.#saving;
  }

  /** Saves what one user's devices have moved until now, whatever of others waits. Fulfils like `save`. */
  async saveOf(user: string): Promise<void> {
    while (this.#underWay.has(user)) await this.#underWay.get(user);
    const cursors = this.#unsaved.takeOf(user);
    for (let from = 0; from < cursors.length; from += AT_ONCE) {
      if (await this.#saveTogether(cursors.slice(from, from + AT_ONCE))) continue;
      for (const cursor of cursors.slice(from + AT_ONCE)) this.#gather(cursor);
      return;
    }
  }

  async #saveAll(): Promise<void> {
    for (let batch = this.#unsaved.take(AT_ONCE); batch.length > 0; batch = this.#unsaved.take(AT_ONCE))
      if (!(await this.#saveTogether(batch))) return;
  }

  /** False where the store does not answer: they are kept. */
  async #saveTogether(batch: DeviceCursor[]): Promise<boolean> {
    const saving = this.#saveBatch(batch);
    const users = new Set(batch.map(({ user }) => user));
    for (const user of users) this.#underWay.set(user, saving);
    const isSaved = await saving;
    for (const user of users) if (this.#underWay.get(user) === saving) this.#underWay.delete(user);
    return isSaved;
  }

  async #saveBatch(batch: DeviceCursor[]): Promise<boolean> {
    const { done, refused, left } = await splitBatch(batch, (part) => this.#store.saveCursors(part));
    for (const { result: marks } of done) if (marks.length > 0) this.#onDelivered(marks);
    const [first] = refused;
    if (first !== undefined)
      this.#log.error(
        { err: first.error, ...first.item, count: refused.length },
        'the store refuses device cursors; they are dropped, and the first of them is named',
      );
    if (left === undefined) return true;
    this.#log.warn({ err: left.error }, 'could not save device cursors; trying again');
    for (const cursor of left.items) this.#gather(cursor);
    return false;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.save();
  }
}

function furthest(a: DeviceCursor, b: DeviceCursor): DeviceCursor {
  return { ...a, seq: Math.max(a.seq, b.seq), marksTaken: Math.max(a.marksTaken, b.marksTaken) };
}
