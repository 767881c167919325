import { invalidField, ServiceError } from '#common/errors.ts';
import { requireMember } from './conversation-id.ts';
import type { Hub } from './hub.ts';
import type { Marks, MessageStore, Reached } from './ports.ts';

/** What people have read: moved on their word, and told to everybody in the conversation. */
export class ReadMarks {
  readonly #store: Pick<MessageStore, 'markRead'>;
  readonly #hub: Hub;

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
    if (!(reached.seq > 0)) throw invalidField('seq', 'must be the seq of an entry');
    const [marks] = await this.#store.markRead([reached]);
    if (marks === undefined) throw new ServiceError('NOT_FOUND', { detail: 'There is no such entry.' });
    this.#hub.publishMarks([marks]);
    return marks;
  }
}
