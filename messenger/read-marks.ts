import { ServiceError } from '#common/errors.ts';
import { requireMember } from './conversation-id.ts';
import type { Hub } from './hub.ts';
import type { Marks, MessageStore, Reached } from './ports.ts';

const AT_ONCE = 200;

/** What people have read: moved on their word, together with what others say meanwhile, and told to everybody in the conversation. */
export class ReadMarks {
  readonly #store: Pick<MessageStore, 'markRead'>;
  readonly #hub: Hub;
  #waiting: Waiting[] = [];
  #isMoving = false;

  constructor(store: Pick<MessageStore, 'markRead'>, hub: Hub) {
    this.#store = store;
    this.#hub = hub;
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
      const batch = this.#waiting.splice(0, AT_ONCE);
      try {
        const marks = await this.#store.markRead(batch.map(({ reached }) => reached));
        this.#hub.publishMarks(marks.filter((mark) => mark !== undefined));
        for (const [i, { resolve }] of batch.entries()) resolve(marks[i]);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isMoving = false;
  }
}

interface Waiting {
  reached: Reached;
  resolve(marks: Marks | undefined): void;
  reject(error: unknown): void;
}
