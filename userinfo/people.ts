import { ServiceError } from '#common/errors.ts';
import type { Accounts, Graph, Listed, Page, Person } from './ports.ts';
import { fold, named } from './search-terms.ts';

export interface ProfileEdit {
  displayName?: string | undefined;
  about?: string | undefined;
  avatarUrl?: string | undefined;
}

/** Profiles. The feed of accounts brings them; who is asked for before it has arrived is looked up. */
export class People {
  readonly #graph: Graph;
  readonly #accounts: Accounts;

  constructor(graph: Graph, accounts: Accounts) {
    this.#graph = graph;
    this.#accounts = accounts;
  }

  /** @throws ServiceError NOT_FOUND when nobody has that name. */
  async profile(username: string): Promise<Person> {
    return (await this.#graph.person(username)) ?? (await this.#fetch(username));
  }

  async edit(username: string, { displayName, about, avatarUrl }: ProfileEdit): Promise<Person> {
    await this.profile(username);
    const person = await this.#graph.describe(username, {
      ...(displayName === undefined ? {} : { displayName, terms: named(username, displayName).terms }),
      ...(about === undefined ? {} : { about }),
      ...(avatarUrl === undefined ? {} : { avatarUrl }),
    });
    return person ?? noSuchPerson();
  }

  search(query: string, page: Page): Promise<Listed<Person>> {
    return this.#graph.search(fold(query), page);
  }

  async #fetch(username: string): Promise<Person> {
    const account = (await this.#accounts.find(username)) ?? noSuchPerson();
    await this.#graph.seed([named(account.username, account.displayName)]);
    return (await this.#graph.person(username)) ?? noSuchPerson();
  }
}

function noSuchPerson(): never {
  throw new ServiceError('NOT_FOUND', { detail: 'There is nobody of that name.' });
}
