import { openDataFolder } from '#common/data-folder.ts';
import { Authentication } from '#common/identity/authentication.ts';
import { disposeAll } from '#common/lifecycle.ts';
import { createLog, type Log } from '#common/log.ts';
import { httpDirectory } from './adapters/directory-http.ts';
import { mysqlMessageSchema, type StoreSchema, sqliteMessageSchema } from './adapters/message-schema.ts';
import { openMysqlStore } from './adapters/store-mysql.ts';
import { openSqliteStore } from './adapters/store-sqlite.ts';
import { CommitFeed } from './commit-feed.ts';
import type { MessengerConfig } from './config.ts';
import { Cursors } from './cursors.ts';
import { authenticated } from './grpc/callers.ts';
import { addChatService } from './grpc/chat-service.ts';
import { addCommitFeedService } from './grpc/commit-feed.ts';
import { addConversationsService } from './grpc/conversations.ts';
import { startGrpcServer } from './grpc/server.ts';
import { addSessionService } from './grpc/session.ts';
import { Hub } from './hub.ts';
import { Lane } from './lane.ts';
import { LiveCalls } from './live-calls.ts';
import type { MessageStore } from './ports.ts';
import { ReadMarks } from './read-marks.ts';
import { Sender } from './send.ts';
import { SendRate } from './send-rate.ts';

export interface Messenger extends AsyncDisposable {
  /** `host:port`. */
  address: string;
}

/** What tests put in the place of the real thing. */
export interface MessengerOverrides {
  log?: Log;
  clock?: () => number;
  wrapStore?: (store: MessageStore) => MessageStore;
}

/** Starts the messenger. Disposing drains it: streams are told to reconnect, what is accepted is committed. */
export async function startMessenger(
  config: MessengerConfig,
  overrides: MessengerOverrides = {},
): Promise<Messenger> {
  const { log = createLog('messenger', config.logLevel), clock = Date.now } = overrides;
  const opened = await openStore(config, log, clock);
  const store = overrides.wrapStore?.(opened) ?? opened;
  const hub = new Hub();
  const feed = new CommitFeed({ store, clock });
  const liveCalls = new LiveCalls(config.streamMaxAgeSeconds * 1_000);
  const cursors = new Cursors(store, (marks) => hub.publishMarks(marks), log);
  const readMarks = new ReadMarks(store, hub);
  const rate = new SendRate(config.sendRate, clock);
  const lane = new Lane({
    store,
    clock,
    onCommitted(entries) {
      hub.publish(entries);
      feed.notify();
    },
  });
  const directory = httpDirectory(config.authUrl, config.serviceSecret);
  const sender = new Sender({ lane, store, directory, clock });
  const authentication = new Authentication(config, log);
  authentication.onSessionEnded((sessionId) => liveCalls.endSession(sessionId));

  const server = await startGrpcServer({
    ...config,
    interceptors: [authenticated(authentication, config.serviceSecret)],
    addServices(grpc) {
      addChatService(grpc, { sender, rate, hub, liveCalls, store, cursors, clock, log });
      addConversationsService(grpc, { store, readMarks, log });
      addSessionService(grpc, { sender, rate, hub, liveCalls, store, cursors, readMarks, log });
      addCommitFeedService(grpc, { feed, liveCalls, log });
    },
  });
  log.info({ address: server.address }, 'messenger is listening');
  return {
    address: server.address,
    async [Symbol.asyncDispose]() {
      server.drain();
      liveCalls.stop();
      await disposeAll([opened, cursors, authentication, server], log);
    },
  };
}

/** On the engine that the URL names. A file is this process's alone, a server is shared with other messengers. */
async function openStore(
  { messagesUrl, dataDir }: MessengerConfig,
  log: Log,
  clock: () => number,
): Promise<MessageStore & AsyncDisposable> {
  if (messagesUrl !== 'sqlite:') return openMysqlStore({ url: messagesUrl, log, clock });
  const folder = openDataFolder(dataDir, 'messenger');
  const store = await openSqliteStore(folder.path);
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** The schema of the messages, without starting anything. */
export function messageSchema({ messagesUrl, dataDir }: MessengerConfig): StoreSchema & AsyncDisposable {
  if (messagesUrl !== 'sqlite:')
    return { ...mysqlMessageSchema(messagesUrl), async [Symbol.asyncDispose]() {} };
  const folder = openDataFolder(dataDir, 'messenger');
  return {
    ...sqliteMessageSchema(folder.path),
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}
