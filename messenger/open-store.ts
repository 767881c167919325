import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDataFolder } from '#common/data-folder.ts';
import { Eventually, standIn } from '#common/eventually.ts';
import type { Log } from '#common/log.ts';
import type { StoreSchema } from '#common/migrations.ts';
import { mayPass } from '#common/mysql/errors.ts';
import { mysqlMessageSchema, sqliteMessageSchema } from './adapters/message-schema.ts';
import { renewMysqlEpoch } from './adapters/mysql/epoch.ts';
import { type MysqlStore, type MysqlStoreOptions, openMysqlStore } from './adapters/store-mysql.ts';
import { openSqliteStore } from './adapters/store-sqlite.ts';
import type { MessengerConfig } from './config.ts';
import { HighWater } from './high-water.ts';
import type { MessageStore, SharedLog } from './ports.ts';

type Where = Pick<MessengerConfig, 'messagesUrl' | 'dataDir'>;
type Clocks = Pick<MysqlStoreOptions, 'clock' | 'steady'>;

export interface OpenedStore extends AsyncDisposable {
  store: MessageStore;
  /** What other nodes write to it; absent where it is this process's alone. */
  shared?: SharedLog;
  /** Connections to the database, by state; none to a file. */
  poolUse(): Iterable<[state: string, count: number]>;
  /** What is waited for, as operators know it. */
  name: string;
  isOpen(): boolean;
  /** Fulfils when it is open, or is waited for. @throws CannotOpenError when the engine refuses us for good. */
  firstTry(): Promise<void>;
  whenOpen(): Promise<unknown>;
  /** Rejects when the engine refuses us for good, however late, or the file's threads have died; else never settles. */
  failed?: Promise<never>;
}

/**
 * The store on the engine that the URL names. A file is this process's alone, and there at once; a server is shared with other
 * messengers, and may come later: until then every method rejects with UNAVAILABLE.
 */
export async function openStore(where: Where, log: Log, clocks: Clocks): Promise<OpenedStore> {
  return where.messagesUrl === 'sqlite:' ? openFile(where, log) : openServer(where.messagesUrl, log, clocks);
}

async function openFile({ dataDir }: Where, log: Log): Promise<OpenedStore> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(openDataFolder(dataDir, 'messenger'));
  const store = parts.use(await openSqliteStore(folder.path));
  const highWater = parts.use(new HighWater({ path: join(folder.path, 'high-water'), store, log }));
  await highWater.check();
  highWater.start();
  const opened = parts.move();
  return {
    store,
    poolUse: () => [],
    name: 'messages',
    isOpen: () => true,
    firstTry: async () => {},
    whenOpen: async () => {},
    failed: store.failed,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function openServer(url: string, log: Log, clocks: Clocks): OpenedStore {
  const late = new Eventually({
    name: 'MySQL (messages)',
    open: () => openMysqlStore({ url, log, ...clocks }),
    mayPass,
    log,
  });
  const store: MessageStore & SharedLog = standIn<MysqlStore>(late);
  return {
    store,
    shared: store,
    poolUse: () => (late.isOpen ? Object.entries(late.value.poolUse()) : []),
    name: late.name,
    isOpen: () => late.isOpen,
    firstTry: () => late.firstTry(),
    whenOpen: () => late.whenOpen(),
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

/**
 * To be called after the messages were restored from a backup: begins a new epoch, and with it every client
 * anew.
 * @throws FolderInUseError while a messenger runs on the file; Error when there is none, or the server does
 * not answer.
 */
export async function messagesRestored({ messagesUrl, dataDir }: Where): Promise<void> {
  if (messagesUrl !== 'sqlite:') return renewMysqlEpoch(messagesUrl);
  const file = join(dataDir, 'messenger', 'messages.db');
  if (!existsSync(file)) throw new Error(`there is no ${file}`);
  using folder = openDataFolder(dataDir, 'messenger');
  await using store = await openSqliteStore(folder.path);
  await store.renewEpoch(await store.epoch());
}
