import type { Express, RequestHandler } from 'express';
import { ServiceError } from '#common/errors.ts';
import { createApp, jsonBody } from '#common/http/app.ts';
import { addHealth } from '#common/http/health.ts';
import { identified } from '#common/http/identify.ts';
import type { Authentication } from '#common/identity/authentication.ts';
import type { Log } from '#common/log.ts';
import type { Friends } from '../friends.ts';
import type { People } from '../people.ts';
import type { Graph } from '../ports.ts';
import type { Suggestions } from '../suggestions.ts';
import { Budgets, type Quotas } from './budgets.ts';
import { contactRoutes } from './contacts.ts';
import { friendRoutes } from './friends.ts';
import type { PageTokens } from './page-tokens.ts';
import { peopleRoutes } from './people.ts';
import { requestRoutes } from './requests.ts';
import { suggestionRoutes } from './suggestions.ts';

export interface AppParts {
  authentication: Authentication;
  graph: Graph;
  people: People;
  friends: Friends;
  suggestions: Suggestions;
  pageTokens: PageTokens;
  quotas: Quotas;
  /** What is not there yet, by name. */
  missing(): Promise<string[]>;
  onAnswered?: (status: number, seconds: number) => void;
  log: Log;
}

/** What a path does with each method that it has. */
export type Routes = Record<string, Partial<Record<Method, RequestHandler>>>;

type Method = 'get' | 'post' | 'patch' | 'delete';

/** userinfo over HTTP: `/chat` and what is below it, for callers with an access token, and health for everybody. */
export function createUserinfoApp(parts: AppParts): Express {
  const routes = (app: Express) => {
    addHealth(app, parts.missing);
    app.use('/chat', identified(parts.authentication), personal, jsonBody);
    addRoutes(app, new Budgets(parts.quotas), {
      ...contactRoutes(parts),
      // Before the friends: the path of requests would be that of a friend called so.
      ...requestRoutes(parts),
      ...friendRoutes(parts),
      ...peopleRoutes(parts),
      ...suggestionRoutes(parts),
    });
  };
  return createApp(parts.log, routes, parts.onAnswered);
}

/** What one caller sees is nothing for a cache between us. */
const personal: RequestHandler = (_request, response, next) => {
  response.set('cache-control', 'no-store');
  next();
};

function addRoutes(app: Express, budgets: Budgets, routes: Routes): void {
  for (const [path, methods] of Object.entries(routes)) {
    const route = app.route(path);
    for (const [method, handler] of Object.entries(methods))
      route[method as Method](budgets.of(method, path), handler);
    const allowed = Object.keys(methods).join(', ').toUpperCase();
    route.all((_request, response) => {
      response.set('allow', allowed);
      throw new ServiceError('METHOD_NOT_ALLOWED');
    });
  }
}
