import { follow } from '#common/follow.ts';
import type { Log } from '#common/log.ts';
import type { AccountBatch, Accounts, Graph } from './ports.ts';
import { named } from './search-terms.ts';

/** Seeds a profile for everybody who registers, as the feed of accounts tells. */
export class AccountSeeding implements AsyncDisposable {
  readonly #graph: Graph;
  readonly #following: AsyncDisposable;
  #isCaughtUp = false;

  private constructor(graph: Graph, accounts: Accounts, cursor: string, log: Log) {
    this.#graph = graph;
    this.#following = follow<AccountBatch>({
      name: 'accounts',
      open: (after, signal) => accounts.follow(after, signal),
      cursorOf: (batch) => batch.cursor,
      take: (batch) => this.#take(batch),
      cursor,
      log,
    });
  }

  /** Goes on where the graph's last run ended. */
  static async start(graph: Graph, accounts: Accounts, log: Log): Promise<AccountSeeding> {
    return new AccountSeeding(graph, accounts, await graph.cursor('accounts'), log);
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
