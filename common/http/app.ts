import { randomUUID } from 'node:crypto';
import express, { type Express, type RequestHandler } from 'express';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { notFound, problemHandler } from './problems.ts';
import { plainUrl, requireUtf8, wellFormedBody } from './text.ts';

/**
 * An Express app with what every HTTP service here has: request id, log line, and problems at the end. `onAnswered` hears of each answer, and
 * how many seconds it took.
 */
export function createApp(
  log: Log,
  routes: (app: Express) => void,
  onAnswered: OnAnswered = () => {},
): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple');
  app.use(requestId, report(log, onAnswered), plainUrl);
  routes(app);
  app.use(notFound, problemHandler(log));
  return app;
}

/**
 * Parses JSON bodies of at most 64 KiB; anything but JSON in UTF-8 is refused, neither ignored nor repaired.
 */
export const jsonBody: RequestHandler[] = [
  express.json({ limit: '64kb', strict: true, type: 'application/json', verify: requireUtf8 }),
  (request, _response, next) => {
    const isEmpty =
      request.headers['transfer-encoding'] === undefined && !Number(request.headers['content-length']);
    if (request.body === undefined && !isEmpty) throw new ServiceError('UNSUPPORTED_MEDIA_TYPE');
    next();
  },
  wellFormedBody,
];

const requestId: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id');
  request.id = given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
  response.set('x-request-id', request.id);
  next();
};

function report(log: Log, onAnswered: OnAnswered): RequestHandler {
  return (request, response, next) => {
    const began = performance.now();
    const { method, path } = request;
    response.on('close', () => {
      const ms = Math.round(performance.now() - began);
      onAnswered(response.statusCode, (performance.now() - began) / 1000);
      log.debug({ requestId: request.id, method, path, status: response.statusCode, ms }, 'request');
    });
    next();
  };
}

type OnAnswered = (status: number, seconds: number) => void;
