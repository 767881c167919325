import { invalidField, ServiceError } from '#common/errors.ts';
import type { People } from './people.ts';
import type { Asked, Friend, Graph } from './ports.ts';

/** Who may become, and stop being, friends with whom. */
export class Friends {
  readonly #graph: Graph;
  readonly #people: People;
  readonly #clock: () => number;

  constructor(graph: Graph, people: People, clock: () => number) {
    this.#graph = graph;
    this.#people = people;
    this.#clock = clock;
  }

  /**
   * Asks `to` for friendship; safe to repeat. Two who ask each other are friends at once.
   * @throws ServiceError INVALID_REQUEST for oneself, NOT_FOUND for nobody, CONFLICT for a friend.
   */
  async ask(from: string, to: string): Promise<Asked> {
    if (from === to) throw invalidField('username', 'must be somebody else');
    await this.#people.profile(to);
    await this.#people.profile(from);
    const asked = await this.#graph.request(from, to, this.#clock());
    if (asked.outcome === 'friends before') {
      throw new ServiceError('CONFLICT', { detail: 'You are friends already.' });
    }
    return asked;
  }

  /** Safe to repeat. @throws ServiceError NOT_FOUND unless `from` has asked or is a friend. */
  async accept(username: string, from: string): Promise<Friend> {
    return (await this.#graph.accept(username, from, this.#clock())) ?? noRequest();
  }

  /** Declines what the other has asked, or withdraws what one has asked oneself. @throws ServiceError NOT_FOUND */
  async dismiss(username: string, other: string): Promise<void> {
    if (!(await this.#graph.dismiss(username, other))) noRequest();
  }

  /** @throws ServiceError NOT_FOUND when they are not friends. */
  async unfriend(username: string, other: string): Promise<void> {
    if (await this.#graph.unfriend(username, other)) return;
    throw new ServiceError('NOT_FOUND', { detail: 'You are not friends.' });
  }
}

function noRequest(): never {
  throw new ServiceError('NOT_FOUND', { detail: 'There is no such request.' });
}
