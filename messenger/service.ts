import type { Bus } from '#common/bus/bus.ts';
import { openBus } from '#common/bus/open.ts';
import type { ErrorOptions } from '#common/errors.ts';
import { Authentication } from '#common/identity/authentication.ts';
import { InFlight } from '#common/in-flight.ts';
import { disposeAll } from '#common/lifecycle.ts';
import { createLog, type Log } from '#common/log.ts';
import { Metrics } from '#common/metrics.ts';
import { httpDirectory } from './adapters/directory-http.ts';
import { BusHints } from './adapters/hints-bus.ts';
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
import { JournalPruning } from './journal-pruning.ts';
import { Lane, type LaneOptions } from './lane.ts';
import { LiveCalls } from './live-calls.ts';
import { messengerMetrics, Tally } from './metrics.ts';
import { type OpenedStore, openStore } from './open-store.ts';
import type { Marks, MessageStore } from './ports.ts';
import { ReadMarks } from './read-marks.ts';
import { Repair } from './repair.ts';
import { Sender } from './send.ts';
import { FIRST_CONTACTS } from './send-order.ts';
import { inTurns } from './turns.ts';
import { UserRate } from './user-rate.ts';
import { type WatchedClocks, watchClocks } from './watched-clocks.ts';

export { messageSchema, messagesRestored } from './open-store.ts';
export { messageSource, messageTarget } from './transfer.ts';

export interface Messenger extends AsyncDisposable {
  /** `host:port`. */
  address: string;
  /** What it waits for, by name. */
  missing(): string[];
  /** Rejects when the database refuses us for good, however late, or is gone with its thread; else never settles. */
  failed?: Promise<never>;
}

/** What tests put in the place of the real thing. */
export interface MessengerOverrides {
  log?: Log;
  /** Where our numbers go. */
  metrics?: Metrics;
  clock?: () => number;
  /** Ms that only grow, see common/clocks.ts. */
  steady?: () => number;
  bus?: Bus;
  wrapStore?: (store: MessageStore) => MessageStore;
}

/**
 * Streams that open or catch up ask the store so often at the same time: with few, whoever talks on while thousands come back waits less
 * (5 times its usual p99 with 2, 10 and more with 4), and all are back as soon. Measured with the store on
 * the same machine.
 */
const ARRIVALS_AT_ONCE = 2;

/** Openings of a user that take more than one frame, as those of a device with thousands of conversations. */
const MOST_UNFINISHED = 8;
const TOO_MANY_UNFINISHED = 'Too many streams of this user are being opened in several frames.';

/** A client can tell this refusal from that of the send rate: other messages may go on. */
const TOO_MANY_CONTACTS: ErrorOptions = {
  detail: 'Too many first messages to new people; write to further ones later.',
  metadata: { limit: FIRST_CONTACTS },
};

/**
 * Starts the messenger. It listens before its database is there, and is healthy from then on. Disposing drains it: streams are told to
 * reconnect, what is accepted is committed.
 */
export async function startMessenger(
  config: MessengerConfig,
  overrides: MessengerOverrides = {},
): Promise<Messenger> {
  const { log = createLog('messenger', config.logLevel) } = overrides;
  const clocks = watchClocks(overrides, log);
  const opened = await openStore(config, log, clocks);
  const store = overrides.wrapStore?.(opened.store) ?? opened.store;
  const bus = overrides.bus ?? openBus(config.busUrl, log);
  const hints = new BusHints(bus, clocks.steady);
  const hub = new Hub(hints, clocks.clock);
  const liveCalls = new LiveCalls(config.streamMaxAgeSeconds * 1_000, (id) => authentication.hasEnded(id));
  const feed = commitFeed(store, clocks, liveCalls, log);
  const tally = new Tally();
  const onDelivered = (marks: Marks[]) => hub.publishMarks(marks);
  const cursors = new Cursors(store, onDelivered, log, () => tally.acks++);
  const readMarks = new ReadMarks(store, hub, log);
  const { rate, reads, openings, firstContacts } = userRates(config, clocks.steady);
  let repair: Repair | undefined;
  const observer = messengerMetrics((overrides.metrics ?? new Metrics()).of('messenger'), tally, {
    queueDepth: () => lane.depth,
    sessions: () => hub.size,
    hintsLost: () => bus.dropped,
    hintsRepaired: () => repair?.repaired ?? 0,
    pool: opened.poolUse,
  });
  const lane = new Lane({
    store,
    ...clocks,
    counts: tally.sends,
    observer,
    log,
    ...commitListeners(hub, feed),
  });
  const directory = httpDirectory(config.authUrl, config.serviceSecret);
  const sender = new Sender({ lane, store, directory, firstContacts, ...clocks });
  const authentication = new Authentication(config, log);
  endWithLogins(liveCalls, authentication);
  const onWindowFull = () => void tally.windowsFull++;
  const { maxDevices } = config;
  const core = { sender, rate, hub, liveCalls, store: inTurns(store, ARRIVALS_AT_ONCE), cursors };
  const streams = { ...core, openings, maxDevices, onWindowFull, ...clocks, log };
  const unfinished = new InFlight(MOST_UNFINISHED, TOO_MANY_UNFINISHED);

  const server = await startGrpcServer({
    ...config,
    interceptors: [authenticated(authentication, config.serviceSecret)],
    addServices(grpc) {
      addChatService(grpc, streams);
      addConversationsService(grpc, { store, readMarks, rate, reads, log });
      addSessionService(grpc, { ...streams, readMarks, unfinished });
      addCommitFeedService(grpc, { feed, liveCalls, log });
    },
  });
  repair = followOthers(opened, hub, feed, liveCalls, log);
  const running = [pruneJournal(opened, store, clocks.clock, log), ...(repair ? [repair] : [])];
  opened.whenOpen().then(server.serve, () => {});
  await opened.firstTry();
  log.info({ address: server.address }, 'messenger is listening');
  return {
    address: server.address,
    missing: () => [...(opened.isOpen() ? [] : [opened.name]), ...authentication.missing()],
    ...(opened.failed && { failed: opened.failed }),
    async [Symbol.asyncDispose]() {
      server.drain();
      liveCalls.stop();
      await disposeAll([opened, hints, cursors, authentication, ...running, server], log);
    },
  };
}

/** What each user may do. */
function userRates(config: MessengerConfig, steady: () => number) {
  return {
    rate: new UserRate(config.sendRate, steady),
    reads: new UserRate(config.readRate, steady),
    openings: new UserRate(config.openRate, steady),
    firstContacts: new UserRate(config.firstContactRate, steady, TOO_MANY_CONTACTS),
  };
}

/**
 * A reader of the commits may be the witness that the log was put back to an earlier state: then all streams
 * are to begin anew.
 */
function commitFeed(store: MessageStore, clocks: WatchedClocks, liveCalls: LiveCalls, log: Log): CommitFeed {
  const onRenewed = () => {
    log.warn('a reader knows more commits than the log holds, as after a restore: the log has a new epoch');
    liveCalls.reconnectAll();
  };
  return new CommitFeed({ store, onRenewed, ...clocks });
}

/** Who hears of what is committed here. */
function commitListeners(hub: Hub, feed: CommitFeed): Pick<LaneOptions, 'onCommitted' | 'onRepeated'> {
  return {
    onCommitted(entries) {
      hub.publish(entries);
      feed.notify();
    },
    onRepeated(places) {
      for (const { conversation, seq: lastSeq } of places) hub.announce({ conversation, lastSeq });
      feed.notify();
    },
  };
}

/** A stream ends with its login session, and all of them begin anew where the end of one may have been missed. */
function endWithLogins(liveCalls: LiveCalls, authentication: Authentication): void {
  authentication.onSessionEnded((sessionId) => liveCalls.endSession(sessionId));
  authentication.onReset(() => liveCalls.reconnectAll());
}

/** Where others write to the store too. */
function followOthers(opened: OpenedStore, hub: Hub, feed: CommitFeed, liveCalls: LiveCalls, log: Log) {
  if (opened.shared === undefined) return undefined;
  const repair = new Repair({
    store: opened.shared,
    hub,
    onNews: () => feed.notify(),
    onGap: () => liveCalls.reconnectAll(),
    log,
  });
  opened.whenOpen().then(
    () => repair.start(),
    () => {},
  );
  return repair;
}

function pruneJournal(
  opened: OpenedStore,
  store: MessageStore,
  clock: () => number,
  log: Log,
): JournalPruning {
  const pruning = new JournalPruning({ store, clock, log });
  opened.whenOpen().then(
    () => pruning.start(),
    () => {},
  );
  return pruning;
}
