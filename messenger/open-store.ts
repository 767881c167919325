import { openDataFolder } from '#common/data-folder.ts';
import { Eventually, standIn } from '#common/eventually.ts';
import type { Log } from '#common/log.ts';
import { isConnectionTrouble } from '#common/mysql/errors.ts';
import { mysqlMessageSchema, type StoreSchema, sqliteMessageSchema } from './adapters/message-schema.ts';
import { openMysqlStore } from './adapters/store-mysql.ts';
import { openSqliteStore } from './adapters/store-sqlite.ts';
import type { MessengerConfig } from './config.ts';
import type { MessageStore, SharedLog } from './ports.ts';

type Where = Pick<MessengerConfig, 'messagesUrl' | 'dataDir'>;

export interface OpenedStore extends AsyncDisposable {
  store: MessageStore;
  /** What other nodes write to it; absent where it is this process's alone. */
  shared?: SharedLog;
  /** Fulfils when it answers. */
  whenOpen(): Promise<unknown>;
  /** What is waited for, by name. */
  missing(): string[];
  /** Rejects when the engine refuses us for good, however late; else never settles. */
  failed?: Promise<never>;
}

/**
 * The store on the engine that the URL names. A file is this process's alone, and there at once; a server is shared with other
 * messengers, and may come later: until then every method rejects with UNAVAILABLE.
 */
export async function openStore(where: Where, log: Log, clock: () => number): Promise<OpenedStore> {
  return where.messagesUrl === 'sqlite:' ? openFile(where) : openServer(where.messagesUrl, log, clock);
}

async function openFile({ dataDir }: Where): Promise<OpenedStore> {
  const folder = openDataFolder(dataDir, 'messenger');
  const store = await openSqliteStore(folder.path);
  return {
    store,
    whenOpen: async () => {},
    missing: () => [],
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

async function openServer(url: string, log: Log, clock: () => number): Promise<OpenedStore> {
  const late = new Eventually({
    name: 'MySQL (messages)',
    open: () => openMysqlStore({ url, log, clock }),
    mayPass: isConnectionTrouble,
    log,
  });
  await late.firstTry();
  const store = standIn<MessageStore & SharedLog>(late);
  return {
    store,
    shared: store,
    whenOpen: () => late.whenOpen(),
    missing: () => (late.isOpen ? [] : [late.name]),
    failed: late.failed,
    [Symbol.asyncDispose]: () => late[Symbol.asyncDispose](),
  };
}

/** The schema of the messages, without starting anything. */
export function messageSchema({ messagesUrl, dataDir }: Where): StoreSchema & AsyncDisposable {
  if (messagesUrl !== 'sqlite:')
    return { ...mysqlMessageSchema(messagesUrl), async [Symbol.asyncDispose]() {} };
  const folder = openDataFolder(dataDir, 'messenger');
  return {
    ...sqliteMessageSchema(folder.path),
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}
