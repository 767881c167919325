import { invalidField } from '#common/errors.ts';
import type { People } from './people.ts';
import type { Graph, Known, Listed, Page, Suggestion } from './ports.ts';

/**
 * What a friend in common adds to a score, divided by how many friends that one has: who knows everybody says little. After
 * Zhou, Lü and Zhang, "Predicting missing links via local information" (2009), where it is called resource allocation; in
 * integers, so that every store computes the same.
 */
export const WHOLE_FRIEND = 1_000_000;

/** How many friendships of one's friends are looked at, at most: what bounds the work of one answer. */
export const MOST_PATHS = 100_000;

/** How many friends in common a suggestion names. */
export const NAMES_SHOWN = 3;

/** People one may know. Groups in common and blocks would join here: the first as a score, the second as somebody hidden. */
export class Suggestions {
  readonly #graph: Graph;
  readonly #people: People;

  constructor(graph: Graph, people: People) {
    this.#graph = graph;
    this.#people = people;
  }

  list(username: string, page: Page): Promise<Listed<Suggestion>> {
    return this.#graph.suggestions(username, page);
  }

  /** Safe to repeat. @throws ServiceError INVALID_REQUEST for oneself, NOT_FOUND for nobody. */
  async dismiss(username: string, other: string): Promise<void> {
    await this.#bothKnown(username, other);
    await this.#graph.dismissSuggestion(username, other);
  }

  /** The friends in common, and how many there are. @throws ServiceError INVALID_REQUEST for oneself, NOT_FOUND for nobody. */
  async mutual(username: string, other: string, page: Page): Promise<Listed<Known> & { count: number }> {
    await this.#bothKnown(username, other);
    const [listed, count] = await Promise.all([
      this.#graph.mutual(username, other, page),
      this.#graph.mutualCount(username, other),
    ]);
    return { ...listed, count };
  }

  async #bothKnown(username: string, other: string): Promise<void> {
    if (username === other) throw invalidField('username', 'must be somebody else');
    await this.#people.profile(other);
    await this.#people.profile(username);
  }
}

/** One of one's friends, and how many friends they have. */
export interface Weighed {
  username: string;
  friends: number;
}

/**
 * The last of these friends, given in the order of `friends`, then `username`, who still counts; undefined when all do.
 * Nobody counts where even the first has too many: then `friends` is 0, which is nobody's.
 */
export function lastCounted(inOrder: Iterable<Weighed>): Weighed | undefined {
  let paths = 0;
  let last: Weighed = { username: '', friends: 0 };
  for (const friend of inOrder) {
    paths += friend.friends;
    if (paths > MOST_PATHS) return last;
    last = friend;
  }
  return undefined;
}
