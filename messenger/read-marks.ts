import { ServiceError } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import { splitBatch } from '#common/split-batch.ts';
import { requireMember } from './conversation-id.ts';
import type { Hub } from './hub.ts';
import type { Marks, MessageStore, Reached } from './ports.ts';
import { UserQueue } from './user-queue.ts';

const AT_ONCE = 200;
/** Beyond this many waiting reads one is refused: the store is slower than those who read. */
const MAX_WAITING = 50_000;

/**
 * What people have read: moved on their word, many in one transaction, and told to all members of the conversation. Users take turns, and equal
 * reads that wait are one.
 */
export class ReadMarks {
  readonly #store: Pick<MessageStore, 'markRead'>;
  readonly #hub: Hub;
  readonly #log: Log;
  readonly #waiting = new UserQueue<Waiting>();
  #isMoving = false;

  constructor(store: Pick<MessageStore, 'markRead'>, hub: Hub, log: Log) {
    this.#store = store;
    this.#hub = hub;
    this.#log = log;
  }

  /**
   * The user has read everything up to `seq`. A mark behind the stored one changes nothing.
   * @throws ServiceError NOT_FOUND for somebody else's conversation or an entry that is not there; OVERLOADED when too many wait.
   */
  async move(reached: Reached): Promise<Marks> {
    const { user, conversation, seq } = reached;
    requireMember(user, conversation);
    const key = `${conversation} ${seq}`;
    const waiting = this.#waiting.get(user, key) ?? this.#wait(key, reached);
    this.#moveAll();
    const marks = await waiting.promise;
    if (marks === undefined) throw new ServiceError('NOT_FOUND', { detail: 'There is no such entry.' });
    return marks;
  }

  #wait(key: string, reached: Reached): Waiting {
    if (this.#waiting.size >= MAX_WAITING) throw new ServiceError('OVERLOADED', { retryAfterMs: 500 });
    const waiting = { reached, ...Promise.withResolvers<Marks | undefined>() };
    this.#waiting.set(reached.user, key, waiting);
    return waiting;
  }

  async #moveAll(): Promise<void> {
    if (this.#isMoving) return;
    this.#isMoving = true;
    while (this.#waiting.size > 0) await this.#moveTogether(this.#waiting.take(AT_ONCE));
    this.#isMoving = false;
  }

  /** One that the store cannot take is refused alone. */
  async #moveTogether(batch: Waiting[]): Promise<void> {
    const { done, refused, left } = await splitBatch(batch, (part) =>
      this.#store.markRead(part.map(({ reached }) => reached)),
    );
    for (const { items, result } of done) {
      this.#hub.publishMarks(result.filter((mark) => mark !== undefined));
      for (const [i, { resolve }] of items.entries()) resolve(result[i]);
    }
    const [first] = refused;
    if (first !== undefined)
      this.#log.error(
        { err: first.error, ...first.item.reached, count: refused.length },
        'the store refuses read marks; the first of them is named',
      );
    for (const { item, error } of refused) item.reject(error);
    for (const { reject } of left?.items ?? []) reject(left?.error);
  }
}

type Waiting = { reached: Reached } & PromiseWithResolvers<Marks | undefined>;
