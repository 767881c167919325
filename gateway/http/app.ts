import cors from 'cors';
import type { Express, RequestHandler } from 'express';
import helmet from 'helmet';
import { ServiceError } from '#common/errors.ts';
import { createApp } from '#common/http/app.ts';
import { addHealth } from '#common/http/health.ts';
import type { Authentication } from '#common/identity/authentication.ts';
import type { Log } from '#common/log.ts';
import type { Limits } from '../limits.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { Readiness } from '../readiness.ts';
import { limitBody } from './body-limit.ts';
import { setOrigin } from './origin.ts';
import type { Proxies } from './proxies.ts';
import { requirePlainTarget, routeOf } from './routes.ts';

export interface GatewayAppOptions {
  authentication: Authentication;
  proxies: Proxies;
  readiness: Readiness;
  corsOrigins: string[];
  trustedProxies: string[];
  metrics: GatewayMetrics;
  limits: Limits;
  log: Log;
}

/** What we say over HTTP/1.1: little of our own, the rest is passed on to whom it concerns, once the caller is known. */
export function createGatewayApp(options: GatewayAppOptions): Express {
  const { corsOrigins, trustedProxies, limits, metrics, readiness, log } = options;
  const routes = (app: Express) => {
    app.enable('case sensitive routing').enable('strict routing');
    app.use(setOrigin(trustedProxies), helmet(), refuseOddRequests);
    if (corsOrigins.length > 0) app.use(cors({ origin: corsOrigins, maxAge: 600, exposedHeaders: EXPOSED }));
    app.use(limitBody(limits.bodyBytes));
    app.get('/', (_request, response) => void response.type('text').send('Called the root page'));
    app.get('/home', (_request, response) => void response.type('text').send('Called the home page'));
    app.get('/fallback', (_request, response) => {
      response.status(404).type('text').send('Called the fallback page');
    });
    app.get('/readyz', async (_request, _response, next) => {
      await readiness.refresh();
      next();
    });
    addHealth(app, () => readiness.missing());
    app.use(forward(options));
  };
  return createApp(log, routes, metrics.answered);
}

const EXPOSED = ['x-request-id', 'retry-after', 'www-authenticate'];

const refuseOddRequests: RequestHandler = (request, response, next) => {
  requirePlainTarget(request.url);
  if (/websocket/i.test(request.headers.upgrade ?? '')) {
    response.set('connection', 'close');
    throw new ServiceError('UPGRADE_REFUSED');
  }
  next();
};

/** Everybody who goes on has shown a valid token, or goes where none is needed. */
function forward({ authentication, proxies }: GatewayAppOptions): RequestHandler {
  return async (request, response, next) => {
    const route = routeOf(request.method, request.path);
    if (route === undefined) return next();
    if (!route.isTokenless) await authentication.identify(request.headersDistinct.authorization ?? []);
    await proxies.to[route.to](request, response, next);
  };
}
