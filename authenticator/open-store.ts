import { join } from 'node:path';
import { openDataFolder } from '#common/data-folder.ts';
import { Eventually, standIn } from '#common/eventually.ts';
import type { Running } from '#common/lifecycle.ts';
import type { Log } from '#common/log.ts';
import type { StoreSchema } from '#common/migrations.ts';
import { mayPass } from '#common/mysql/errors.ts';
import { mysqlAccountSchema, sqliteAccountSchema } from './adapters/account-schema.ts';
import { openMysqlStore } from './adapters/accounts-mysql.ts';
import { openSqliteStore } from './adapters/accounts-sqlite.ts';
import { raiseFeeds } from './adapters/mysql/restored.ts';
import type { AuthenticatorConfig } from './config.ts';
import type { AccountStore } from './ports.ts';

type Where = Pick<AuthenticatorConfig, 'accountsUrl' | 'dataDir'>;

export type OpenFile = (path: string) => Promise<AccountStore & Running>;

export interface OpenedStore extends AsyncDisposable {
  store: AccountStore;
  /** What /readyz calls it. */
  name: string;
  /** Whether other authenticators write to it. */
  isShared: boolean;
  /** @throws CannotOpenError when the engine refuses us for good. */
  firstTry(): Promise<void>;
  /** Rejects when it does so later, or the file's thread has died; else never settles. */
  failed?: Promise<never>;
}

/**
 * The store on the engine that the URL names. A file is this process's alone, and there at once; a server is shared with other
 * authenticators, and may come later: until then every method rejects with UNAVAILABLE.
 */
export async function openStore(
  where: Where,
  log: Log,
  openFile: OpenFile = openSqliteStore,
): Promise<OpenedStore> {
  return where.accountsUrl === 'sqlite:' ? openFolder(where, openFile) : openServer(where.accountsUrl, log);
}

async function openFolder({ dataDir }: Where, openFile: OpenFile): Promise<OpenedStore> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(openDataFolder(dataDir, 'authenticator'));
  const store = parts.use(await openFile(join(folder.path, 'accounts.db')));
  const opened = parts.move();
  return {
    store,
    name: 'accounts',
    isShared: false,
    firstTry: async () => {},
    ...(store.failed && { failed: store.failed }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function openServer(url: string, log: Log): OpenedStore {
  const late = new Eventually({
    name: 'MySQL (accounts)',
    open: () => openMysqlStore(url, log),
    mayPass,
    log,
  });
  return {
    store: standIn<AccountStore>(late),
    name: late.name,
    isShared: true,
    firstTry: () => late.firstTry(),
    failed: late.failed,
    [Symbol.asyncDispose]: () => late[Symbol.asyncDispose](),
  };
}

/** The schema of the accounts, without starting anything. */
export function accountSchema({ accountsUrl, dataDir }: Where): StoreSchema & AsyncDisposable {
  if (accountsUrl !== 'sqlite:')
    return { ...mysqlAccountSchema(accountsUrl), async [Symbol.asyncDispose]() {} };
  const folder = openDataFolder(dataDir, 'authenticator');
  return {
    ...sqliteAccountSchema(folder.path),
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}

/**
 * To be called after the accounts were restored from a backup, before a service runs on them: readers of the
 * feeds that know more than there is now begin anew. In a file nothing is to be done: its readers are of the
 * same process, and look before anything is written.
 */
export async function accountsRestored({ accountsUrl }: Where): Promise<void> {
  if (accountsUrl === 'sqlite:') return;
  await mysqlAccountSchema(accountsUrl).migrate();
  await raiseFeeds(accountsUrl);
}
