import type { Bus } from '#common/bus/bus.ts';
import { openBus } from '#common/bus/open.ts';
import { steadyClock } from '#common/clocks.ts';
import { httpMetrics } from '#common/http/metrics.ts';
import { startHttpServer } from '#common/http/server.ts';
import type { Running } from '#common/lifecycle.ts';
import { createLog, type Log } from '#common/log.ts';
import { Metrics } from '#common/metrics.ts';
import { Accounts } from './accounts.ts';
import type { AuthenticatorConfig } from './config.ts';
import { FeedWatch } from './feed-watch.ts';
import { createAuthenticatorApp } from './http/app.ts';
import { SigningKeys } from './keys.ts';
import { ensureKeys } from './keys-file.ts';
import { loginMetrics } from './metrics.ts';
import { type OpenFile, openStore } from './open-store.ts';
import { PasswordHasher } from './passwords.ts';
import type { AccountStore } from './ports.ts';
import { Sessions } from './sessions.ts';
import { Signal } from './signal.ts';
import { Throttle } from './throttle.ts';
import { Tokens } from './tokens.ts';

export { ensureKeys } from './keys-file.ts';
export { accountSchema, accountsRestored } from './open-store.ts';
export { accountSource, accountTarget } from './transfer.ts';

export interface Authenticator extends Running {
  /** `http://host:port`. */
  url: string;
  /** What it waits for, by name. */
  missing(): Promise<string[]>;
}

export interface AuthenticatorOverrides {
  /** Now, ms since the epoch. */
  clock?: () => number;
  /** Ms that only grow, see common/clocks.ts. */
  steady?: () => number;
  log?: Log;
  hasher?: PasswordHasher;
  /** Where our numbers go. */
  metrics?: Metrics;
  /** Opens the file of accounts. */
  openStore?: OpenFile | undefined;
  /** Closed by whoever made it. */
  bus?: Bus | undefined;
}

/**
 * Everything that the authenticator consists of, wired. It listens before its database is there, and answers UNAVAILABLE until then.
 * Disposing ends the feeds and finishes the requests in flight.
 * @throws CannotOpenError when the database refuses us for good.
 */
export async function startAuthenticator(
  config: AuthenticatorConfig,
  overrides: AuthenticatorOverrides = {},
): Promise<Authenticator> {
  const {
    clock = Date.now,
    steady = steadyClock,
    log = createLog('authenticator', config.logLevel),
    hasher = new PasswordHasher(),
    metrics = new Metrics(),
  } = overrides;
  await using parts = new AsyncDisposableStack();
  const opened = parts.use(await openStore(config, log, overrides.openStore));
  const { store } = opened;

  if (config.makesKeys) {
    if (opened.isShared)
      log.warn(
        `CHATTERBOX_SIGNING_KEYS is not set: the keys in ${config.signingKeys} are this node's alone, and other authenticators refuse its tokens`,
      );
    ensureKeys(config.signingKeys, clock());
  }
  const keys = new SigningKeys(config.signingKeys, clock, steady, log);
  const tokens = new Tokens(keys, config, config.serviceSecret);

  const { registered, ended } = opened.isShared ? watch() : { registered: new Signal(), ended: new Signal() };
  const sessions = new Sessions(store, tokens, config, ended, clock);
  const throttle = new Throttle(store, config.loginAttempts, clock);
  const counted = metrics.of('authenticator');
  const onRefused = loginMetrics(counted);
  const accounts = new Accounts({ store, hasher, sessions, throttle, registered, ended, clock, onRefused });

  const stop = new AbortController();
  const feeds = { store, registered, ended, stop: stop.signal };
  const missing = async () => ((await answers(store)) ? [] : [opened.name]);
  const app = createAuthenticatorApp({
    config,
    accounts,
    sessions,
    keys,
    feeds,
    missing,
    onAnswered: httpMetrics(counted),
    log,
  });
  const server = parts.use(await startHttpServer(app, config.host, config.port));
  parts.defer(() => stop.abort());
  await opened.firstTry();

  const running = parts.move();
  return {
    url: server.url,
    missing,
    ...(opened.failed && { failed: opened.failed }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };

  function watch(): FeedWatch {
    const bus = overrides.bus ?? parts.use(openBus(config.busUrl, log));
    return parts.use(new FeedWatch(store, bus, log));
  }
}

/** A store that has not answered by then is as good as dead to whoever asks whether we are ready. */
const STORE_ANSWERS_MS = 2_000;

async function answers(store: AccountStore): Promise<boolean> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(late.reject, STORE_ANSWERS_MS);
  try {
    await Promise.race([store.check(), late.promise]);
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
