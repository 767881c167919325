import { afterEach, beforeEach, describe } from 'mocha';
import type { AccountStore } from '../ports.ts';
import { accountPromises } from './contract/accounts.contract.ts';
import { attemptPromises } from './contract/attempts.contract.ts';
import { feedPromises } from './contract/feeds.contract.ts';
import { rotationPromises } from './contract/rotation.contract.ts';
import { sessionPromises } from './contract/sessions.contract.ts';

/** What ports.ts promises of an account store; every adapter runs all of it. `open` gives an empty one. */
export function accountStoreContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} keeps the promises of an account store`, () => {
    let opened: OpenedStore;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    const subject: Subject = { store: () => opened.store, reopen: () => opened.reopen() };
    describe('accounts', () => accountPromises(subject));
    describe('sessions', () => sessionPromises(subject));
    describe('refresh', () => rotationPromises(subject));
    describe('feeds', () => feedPromises(subject));
    describe('attempts', () => attemptPromises(subject));
  });
}

export interface OpenedStore extends AsyncDisposable {
  store: AccountStore;
  /** Closes it and opens the same data again. */
  reopen(): Promise<void>;
}

export interface Subject {
  store(): AccountStore;
  reopen(): Promise<void>;
}
