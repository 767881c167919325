import type { Express } from 'express';
import { createApp } from '#common/http/app.ts';
import { addHealth } from '#common/http/health.ts';
import type { Log } from '#common/log.ts';
import type { Accounts } from '../accounts.ts';
import type { AuthenticatorConfig } from '../config.ts';
import type { SigningKeys } from '../keys.ts';
import type { AccountStore } from '../ports.ts';
import type { Sessions } from '../sessions.ts';
import { addAccountRoutes } from './account-routes.ts';
import { addInternalRoutes, type FeedSources } from './internal-routes.ts';
import { addLegacyLogin } from './legacy-login.ts';

/** A store that has not answered by then is as good as dead to whoever asks whether we are ready. */
const STORE_ANSWERS_MS = 2_000;

export function createAuthenticatorApp(parts: AppParts): Express {
  const { config, accounts, sessions, keys, feeds, log } = parts;
  return createApp(log, (app) => {
    app.set('trust proxy', ['loopback', ...config.trustProxy]);
    addHealth(app, () => missing(feeds.store));
    app.get('/.well-known/jwks.json', (_request, response) => {
      response.set('cache-control', 'public, max-age=60').json(keys.jwks());
    });
    addInternalRoutes(app, config.serviceSecret, accounts, feeds);
    app.use('/auth', (_request, response, next) => {
      response.set('cache-control', 'no-store');
      next();
    });
    addLegacyLogin(app, accounts, log);
    addAccountRoutes(app, accounts, sessions);
  });
}

/** What is missing before anybody can be served, by name. */
async function missing(store: AccountStore): Promise<string[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(late.reject, STORE_ANSWERS_MS);
  try {
    await Promise.race([store.check(), late.promise]);
    return [];
  } catch {
    return ['accounts'];
  } finally {
    clearTimeout(timer);
  }
}

interface AppParts {
  config: AuthenticatorConfig;
  accounts: Accounts;
  sessions: Sessions;
  keys: SigningKeys;
  feeds: FeedSources;
  log: Log;
}
