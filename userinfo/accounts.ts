import { follow } from '#common/follow.ts';
import type { Log } from '#common/log.ts';
import type { AccountBatch, Accounts, Graph } from './ports.ts';
import { named } from './search-terms.ts';

/** Seeds a profile for everybody who registers, as the feed of accounts tells. */
export class AccountSeeding implements AsyncDisposable {
  readonly #graph: Graph;
  readonly #following: AsyncDisposable;
  #isCaughtUp = false;

  /** Goes on where the graph says that it ended. */
  constructor(graph: Graph, accounts: Accounts, log: Log) {
    this.#graph = graph;
    this.#following = follow<AccountBatch>({
      name: 'accounts',
      // Each time from the graph's own place: another process may have been there meanwhile.
      open: async function* (_, signal) {
        yield* accounts.follow(await graph.cursor('accounts'), signal);
      },
      cursorOf: (batch) => batch.cursor,
      take: (batch) => this.#take(batch),
      log,
    });
  }

  /** Whether everybody who registered before we started is known. */
  get isCaughtUp(): boolean {
    return this.#isCaughtUp;
  }

  async #take({ accounts, cursor, isCaughtUp }: AccountBatch): Promise<void> {
    const people = accounts.map((account) => named(account.username, account.displayName));
    await this.#graph.seed(people, cursor);
    this.#isCaughtUp ||= isCaughtUp;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#following[Symbol.asyncDispose]();
  }
}
