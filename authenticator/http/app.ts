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
  const { config, accounts, sessions, keys, feeds, storeName, onAnswered, log } = parts;
  const routes = (app: Express) => {
    app.set('trust proxy', ['loopback', ...config.trustProxy]);
    addHealth(app, async () => ((await answers(feeds.store)) ? [] : [storeName]));
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
  };
  return createApp(log, routes, onAnswered);
}

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

interface AppParts {
  config: AuthenticatorConfig;
  accounts: Accounts;
  sessions: Sessions;
  keys: SigningKeys;
  feeds: FeedSources;
  /** What is missing when the store does not answer. */
  storeName: string;
  onAnswered?: (status: number, seconds: number) => void;
  log: Log;
}
