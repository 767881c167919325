import type { IncomingHttpHeaders } from 'node:http';
import cors from 'cors';
import type { Express, Request, RequestHandler, Response } from 'express';
import helmet from 'helmet';
import { addressKey } from '#common/client-address.ts';
import { ServiceError } from '#common/errors.ts';
import { createApp } from '#common/http/app.ts';
import { addHealth } from '#common/http/health.ts';
import type { Authentication } from '#common/identity/authentication.ts';
import type { InFlight } from '#common/in-flight.ts';
import type { Log } from '#common/log.ts';
import type { Client } from '../front-door.ts';
import type { Limits } from '../limits.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { type Origins, setForwarding } from '../origin.ts';
import type { Readiness } from '../readiness.ts';
import { Turns } from '../turns.ts';
import { PacedConnection } from './paced-connection.ts';
import type { Proxies } from './proxies.ts';
import { readBody } from './read-body.ts';
import { requirePlainTarget, routeOf } from './routes.ts';

export interface GatewayAppOptions {
  authentication: Authentication;
  proxies: Proxies;
  readiness: Readiness;
  corsOrigins: string[];
  origins: Origins;
  /** Requests over HTTP, by address. */
  requests: InFlight;
  /** Whether these headers carry the service credential. */
  isService(headers: IncomingHttpHeaders): boolean;
  metrics: GatewayMetrics;
  limits: Limits;
  log: Log;
}

/** What we say over HTTP/1.1: little of our own, the rest is passed on to whom it concerns, once the caller is known. */
export function createGatewayApp(options: GatewayAppOptions): Express {
  const { corsOrigins, metrics, readiness, log } = options;
  const routes = (app: Express) => {
    app.enable('case sensitive routing').enable('strict routing');
    // First, so that a web page sees also why it is refused.
    if (corsOrigins.length > 0) app.use(cors({ origin: corsOrigins, maxAge: 600, exposedHeaders: EXPOSED }));
    app.use(helmet(), countByAddress(options), refuseOddRequests);
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

const EXPOSED = ['x-request-id', 'retry-after', 'www-authenticate', 'ratelimit', 'ratelimit-policy'];

/** Knows whom a request is from, and how many of that address are in flight. */
function countByAddress({ origins, isService, requests, limits }: GatewayAppOptions): RequestHandler {
  return (request, response, next) => {
    const { headers, socket } = request;
    const origin = origins.of(headers, socket.remoteAddress ?? '');
    const client = clientOf(request);
    if (isService(headers)) client?.isService();
    else {
      const key = addressKey(origin.address);
      response.locals.countedBy = key;
      if (client !== undefined) response.once('close', requests.enter(key));
    }
    setForwarding(headers, origin, request.id);
    // An answer that is not fetched ends with its connection.
    const late = setTimeout(() => response.destroy(), limits.answerMs + limits.bodyMs);
    response.on('drain', () => late.refresh()).once('close', () => clearTimeout(late));
    if (headers['transfer-encoding'] !== undefined) endUnlessRead(request, response);
    next();
  };
}

/** A body of unknown length that is not read ends the connection: Node would take all of it. */
function endUnlessRead(request: Request, response: Response): void {
  response.once('finish', () => !request.complete && request.destroy());
}

/** Undefined for what came over HTTP/2, where it was counted. */
function clientOf({ socket }: Request): Client | undefined {
  return socket instanceof PacedConnection ? socket.client : undefined;
}

const refuseOddRequests: RequestHandler = (request, _response, next) => {
  const { headersDistinct, httpVersion } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    throw new ServiceError('INVALID_REQUEST', { detail: NOT_SPOKEN });
  if ((headersDistinct.host?.length ?? 0) > 1)
    throw new ServiceError('INVALID_REQUEST', { detail: TWO_HOSTS });
  requirePlainTarget(request.url);
  if (/websocket/i.test(request.headers.upgrade ?? '')) throw new ServiceError('UPGRADE_REFUSED');
  next();
};

const NOT_SPOKEN = 'Only HTTP/1.1 and HTTP/1.0 are spoken here, and HTTP/2.';
const TWO_HOSTS = 'There must be one Host header.';

/**
 * Forwards a request once its token is valid, where one is needed, and its body is complete. An address has
 * at most `forwardedPerAddress` of them in progress.
 */
function forward({ authentication, proxies, limits }: GatewayAppOptions): RequestHandler {
  const forwarded = new Turns<string>(limits.forwardedPerAddress);
  return async (request, response, next) => {
    const route = routeOf(request.method, request.path);
    if (route === undefined) return next();
    if (!route.isTokenless) await authentication.identify(request.headersDistinct.authorization ?? []);
    const body = await readBody(request, response, limits);
    if (body === undefined) return;
    const go = () => proxies.to[route.to](request, body, response, next);
    const { countedBy: key } = response.locals;
    if (key === undefined) go();
    else response.once('close', forwarded.take(key, go));
  };
}
