import { ServiceError } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import { splitBatch } from '#common/split-batch.ts';
import { requireMember } from './conversation-id.ts';
import type { Hub } from './hub.ts';
import type { Marks, MessageStore, Reached } from './ports.ts';

const AT_ONCE = 200;

/** What people have read: moved on their word, together with what others say meanwhile, and told to everybody in the conversation. */
export class ReadMarks {
  readonly #store: Pick<MessageStore, 'markRead'>;
  readonly #hub: Hub;
  readonly #log: Log;
  #waiting: Waiting[] = [];
  #isMoving = false;

  constructor(store: Pick<MessageStore, 'markRead'>, hub: Hub, log: Log) {
    this.#store = store;
    this.#hub = hub;
    this.#log = log;
  }

  /**
   * The user has read everything up to `seq`. A mark behind the stored one changes nothing.
   * @throws ServiceError NOT_FOUND for somebody else's conversation or an entry that is not there.
   */
  async move(reached: Reached): Promise<Marks> {
    requireMember(reached.user, reached.conversation);
    const { promise, resolve, reject } = Promise.withResolvers<Marks | undefined>();
    this.#waiting.push({ reached, resolve, reject });
    this.#moveAll();
    const marks = await promise;
    if (marks === undefined) throw new ServiceError('NOT_FOUND', { detail: 'There is no such entry.' });
    return marks;
  }

  async #moveAll(): Promise<void> {
    if (this.#isMoving) return;
    this.#isMoving = true;
    while (this.#waiting.length > 0) {
      await this.#moveTogether(this.#waiting.splice(0, AT_ONCE));
    }
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

interface Waiting {
  reached: Reached;
  resolve(marks: Marks | undefined): void;
  reject(error: unknown): void;
}
