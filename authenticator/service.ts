import { join } from 'node:path';
import { openDataFolder } from '#common/data-folder.ts';
import { startHttpServer } from '#common/http/server.ts';
import { createLog, type Log } from '#common/log.ts';
import { Accounts } from './accounts.ts';
import { openSqliteStore } from './adapters/accounts-sqlite.ts';
import type { AuthenticatorConfig } from './config.ts';
import { createAuthenticatorApp } from './http/app.ts';
import { SigningKeys } from './keys.ts';
import { ensureKeys } from './keys-file.ts';
import { PasswordHasher } from './passwords.ts';
import type { AccountStore } from './ports.ts';
import { Sessions } from './sessions.ts';
import { Signal } from './signal.ts';
import { Throttle } from './throttle.ts';
import { Tokens } from './tokens.ts';

export interface Authenticator extends AsyncDisposable {
  /** `http://host:port`. */
  url: string;
}

export interface AuthenticatorOverrides {
  /** Now, ms since the epoch. */
  clock?: () => number;
  log?: Log;
  hasher?: PasswordHasher;
  openStore?: ((path: string) => Promise<AccountStore & AsyncDisposable>) | undefined;
}

/** Everything that the authenticator consists of, wired. Disposing ends the feeds and finishes the requests in flight. */
export async function startAuthenticator(
  config: AuthenticatorConfig,
  overrides: AuthenticatorOverrides = {},
): Promise<Authenticator> {
  const {
    clock = Date.now,
    log = createLog('authenticator', config.logLevel),
    hasher = new PasswordHasher(),
    openStore = openSqliteStore,
  } = overrides;
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(openDataFolder(config.dataDir, 'authenticator'));
  const store = parts.use(await openStore(join(folder.path, 'accounts.db')));

  if (config.makesKeys) ensureKeys(config.signingKeys, clock());
  const keys = new SigningKeys(config.signingKeys, clock, log);
  const tokens = new Tokens(keys, config, config.serviceSecret);

  const registered = new Signal();
  const ended = new Signal();
  const sessions = new Sessions(store, tokens, config.accessTokenSeconds, ended, clock);
  const throttle = new Throttle(store, config.loginAttempts, clock);
  const accounts = new Accounts({ store, hasher, sessions, throttle, registered, ended, clock });

  const stop = new AbortController();
  const feeds = { store, registered, ended, clock, stop: stop.signal };
  const app = createAuthenticatorApp({ config, accounts, sessions, keys, feeds, log });
  const server = parts.use(await startHttpServer(app, config.host, config.port));
  parts.defer(() => stop.abort());

  const running = parts.move();
  return { url: server.url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
