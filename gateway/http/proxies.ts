import { Agent } from 'node:http';
import type { RequestHandler } from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { ServiceError } from '#common/errors.ts';
import { isHopByHop } from '../header-rules.ts';
import type { Limits } from '../limits.ts';
import type { Upstream } from './routes.ts';

export interface Proxies extends Disposable {
  to: Record<Upstream, RequestHandler>;
}

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

function proxyTo(target: string, agent: Agent, limits: Limits): RequestHandler {
  // The proxy tells of some errors here and of others by its callback, and of a few by both.
  const failures = new WeakMap<object, (cause: unknown) => void>();
  const proxy = createProxyMiddleware({
    target,
    agent,
    proxyTimeout: limits.upstreamMs,
    // The default plugins answer errors in plain text with internals; without them, `on` is not heard either.
    ejectPlugins: true,
    plugins: [(server) => server.on('error', (cause, request) => request && failures.get(request)?.(cause))],
  });
  return (request, response, next) => {
    const fail = (cause?: unknown) => {
      if (!failures.delete(request)) return;
      if (response.headersSent) response.destroy();
      else next(new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause }));
    };
    failures.set(request, fail);
    dropConnectionHeaders(request.headers);
    proxy(request, response, fail);
  };
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
