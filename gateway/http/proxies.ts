import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import type { NextFunction, Request, Response } from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { ServiceError } from '#common/errors.ts';
import { isHopByHop } from '../header-rules.ts';
import type { Limits } from '../limits.ts';
import type { Upstream } from './routes.ts';

export interface Proxies extends Disposable {
  to: Record<Upstream, Forward>;
}

/** Passes a request on whose body is here already. */
export type Forward = (request: Request, body: Buffer, response: Response, next: NextFunction) => void;

/** The ways to the services behind us: their addresses are fixed, the path goes on as it came. */
export function createProxies(targets: Record<Upstream, string>, limits: Limits): Proxies {
  const agent = new Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 32 });
  return {
    to: {
      authenticator: proxyTo(targets.authenticator, agent, limits),
      userinfo: proxyTo(targets.userinfo, agent, limits),
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function proxyTo(target: string, agent: Agent, limits: Limits): Forward {
  // The proxy tells of some errors here and of others by its callback, and of a few by both.
  const failures = new WeakMap<object, (cause: unknown) => void>();
  const proxy = createProxyMiddleware({
    target,
    agent,
    proxyTimeout: limits.upstreamMs,
    // The default plugins answer errors in plain text with internals; without them, `on` is not heard either.
    ejectPlugins: true,
    plugins: [
      (server) => {
        server.on('error', (cause, request) => request && failures.get(request)?.(cause));
        server.on('proxyRes', ownConnection);
      },
    ],
  });
  return (request, body, response, next) => {
    const fail = (cause?: unknown) => {
      if (!failures.delete(request)) return;
      if (response.headersSent) response.destroy();
      else next(new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause }));
    };
    failures.set(request, fail);
    dropConnectionHeaders(request.headers);
    if (body.length > 0 || request.headers['transfer-encoding'] !== undefined) {
      delete request.headers['transfer-encoding'];
      request.headers['content-length'] = String(body.length);
    }
    // The proxy pipes the request when it has a connection: it gets the body that was read.
    request.pipe = ((upstream: Writable) => upstream.end(body)) as typeof request.pipe;
    proxy(request, response, fail);
  };
}

/** The answer's connection is ours with the client, and not the one behind us. */
function ownConnection(
  { headers }: IncomingMessage,
  _request: IncomingMessage,
  response: ServerResponse,
): void {
  for (const name of Object.keys(headers))
    if (isHopByHop(name) && name !== 'transfer-encoding') delete headers[name];
  const isLast = !response.shouldKeepAlive || response.getHeader('connection') === 'close';
  headers.connection = isLast ? 'close' : 'keep-alive';
}

/** Also `expect`, which we have answered, and whatever else the caller calls its connection's (RFC 9110, section 7.6.1). */
function dropConnectionHeaders(headers: NodeJS.Dict<string | string[]>): void {
  const named = String(headers.connection ?? '')
    .toLowerCase()
    .split(/[\s,]+/);
  for (const name of Object.keys(headers)) {
    const isNeeded = name === 'host' || name === 'transfer-encoding' || OURS.test(name);
    if (!isNeeded && (isHopByHop(name) || named.includes(name) || name === 'expect')) delete headers[name];
  }
}

/** A caller cannot have us take these away by calling them its connection's. */
const OURS = /^(?:authorization|content-.*|x-forwarded-.*|x-request-id)$/;
