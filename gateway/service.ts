import { Authentication } from '#common/identity/authentication.ts';
import { createLog, type Log } from '#common/log.ts';
import type { GatewayConfig } from './config.ts';
import { openFrontDoor } from './front-door.ts';
import { singleNode } from './grpc/nodes.ts';
import { createGatewayApp } from './http/app.ts';
import { bridgeTo } from './http/bridge.ts';
import { createProxies } from './http/proxies.ts';
import { openHttp1Room } from './http1-room.ts';
import { createHttp2Room } from './http2-room.ts';
import { LIMITS, type Limits } from './limits.ts';
import { Readiness } from './readiness.ts';

export interface Gateway extends AsyncDisposable {
  /** `http://host:port`. */
  url: string;
}

export interface GatewayOverrides {
  log?: Log;
  limits?: Partial<Limits>;
}

/** Starts the public face. Disposing takes no more connections, lets calls end within the grace, and cuts what is left. */
export async function startGateway(
  config: GatewayConfig,
  overrides: GatewayOverrides = {},
): Promise<Gateway> {
  const { log = createLog('gateway', config.logLevel) } = overrides;
  const limits = { ...LIMITS, ...overrides.limits };
  const { authUrl, userinfoUrl } = config;

  await using parts = new AsyncDisposableStack();
  const authentication = parts.use(new Authentication(config, log));
  const readiness = parts.use(new Readiness(config, authentication));
  const proxies = parts.use(createProxies({ authenticator: authUrl, userinfo: userinfoUrl }, limits));
  const app = createGatewayApp({ ...config, authentication, proxies, readiness, limits, log });
  const http1 = await openHttp1Room(app, limits);
  parts.defer(() => http1.stop());
  const nodes = singleNode(config.messenger);
  const http2 = createHttp2Room({ authentication, nodes, bridge: bridgeTo(http1.enter), limits, log });
  const door = await openFrontDoor(config, { http1: http1.enter, http2: http2.enter }, limits);
  log.info({ url: door.url }, 'gateway is listening');

  const running = parts.move();
  return {
    url: door.url,
    async [Symbol.asyncDispose]() {
      door.close();
      // HTTP/2 first: its plain requests are answered in the other room.
      await http2.stop();
      await http1.stop();
      await door.cut();
      await running.disposeAsync();
    },
  };
}
