import type { Express } from 'express';
import { createApp } from '#common/http/app.ts';
import { addHealth } from '#common/http/health.ts';
import type { Log } from '#common/log.ts';
import type { Accounts } from '../accounts.ts';
import type { AuthenticatorConfig } from '../config.ts';
import type { SigningKeys } from '../keys.ts';
import type { Sessions } from '../sessions.ts';
import { addAccountRoutes } from './account-routes.ts';
import { addInternalRoutes, type FeedSources } from './internal-routes.ts';
import { addLegacyLogin } from './legacy-login.ts';

export function createAuthenticatorApp(parts: AppParts): Express {
  const { config, accounts, sessions, keys, feeds, missing, onAnswered, log } = parts;
  const routes = (app: Express) => {
    app.set('trust proxy', ['loopback', ...config.trustProxy]);
    addHealth(app, missing);
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

interface AppParts {
  config: AuthenticatorConfig;
  accounts: Accounts;
  sessions: Sessions;
  keys: SigningKeys;
  feeds: FeedSources;
  /** What we wait for, by name. */
  missing(): Promise<string[]>;
  onAnswered?: (status: number, seconds: number) => void;
  log: Log;
}
