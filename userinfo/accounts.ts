import { follow } from '#common/follow.ts';
import type { Log } from '#common/log.ts';
import type { Account, AccountBatch, Accounts, Graph } from './ports.ts';
import { named } from './search-terms.ts';
import { storeBatch } from './store-batch.ts';

/** Seeds a profile for everybody who registers, as the feed of accounts tells. */
export class AccountSeeding implements AsyncDisposable {
  readonly #graph: Graph;
  readonly #log: Log;
  readonly #following: AsyncDisposable;
  #isCaughtUp = false;

  /** Goes on where the graph says that it ended. */
  constructor(graph: Graph, accounts: Accounts, log: Log) {
    this.#graph = graph;
    this.#log = log;
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

  async #take({ accounts: items, cursor, isCaughtUp, isReset }: AccountBatch): Promise<void> {
    if (isReset)
      this.#log.warn('the authenticator does not know our place in its accounts: reading all of them again');
    const seed = async (accounts: Account[], place: string | undefined) => {
      const people = accounts.map(({ username, displayName }) => named(username, displayName));
      await this.#graph.seed(people, place);
    };
    await storeBatch({ feed: 'accounts', items, cursor }, seed, this.#log);
    this.#isCaughtUp ||= isCaughtUp;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#following[Symbol.asyncDispose]();
  }
}
