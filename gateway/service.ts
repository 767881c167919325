import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import proxyAddr from 'proxy-addr';
import { addressKey } from '#common/client-address.ts';
import { Authentication } from '#common/identity/authentication.ts';
import { InFlight } from '#common/in-flight.ts';
import { createLog, type Log } from '#common/log.ts';
import { Metrics } from '#common/metrics.ts';
import { isServiceSecret, SERVICE_CREDENTIAL } from '#common/service-secret.ts';
import type { GatewayConfig } from './config.ts';
import { type Client, type FrontDoor, openFrontDoor } from './front-door.ts';
import { createGatewayApp } from './http/app.ts';
import { bridgeTo } from './http/bridge.ts';
import { PacedConnection } from './http/paced-connection.ts';
import { createProxies } from './http/proxies.ts';
import { openHttp1Room } from './http1-room.ts';
import { createHttp2Room } from './http2-room.ts';
import { LIMITS, type Limits, TOO_MANY_OF_ADDRESS } from './limits.ts';
import { gatewayMetrics } from './metrics.ts';
import type { Lookup } from './nodes/addresses.ts';
import { Nodes } from './nodes/nodes.ts';
import { Origins } from './origin.ts';
import { Readiness } from './readiness.ts';
import { Starts } from './starts.ts';

export interface Gateway extends AsyncDisposable {
  /** `http://host:port`. */
  url: string;
  /** The services that do not answer, by name. */
  missing(): Promise<string[]>;
}

export interface GatewayOverrides {
  log?: Log;
  /** Where our numbers go. */
  metrics?: Metrics;
  limits?: Partial<Limits>;
  /** Resolves host names of messengers. */
  lookup?: Lookup;
}

/** Starts the public face. Disposing takes no more connections, lets calls end within the grace, and cuts what is left. */
export async function startGateway(
  config: GatewayConfig,
  overrides: GatewayOverrides = {},
): Promise<Gateway> {
  const { log = createLog('gateway', config.logLevel) } = overrides;
  const limits = { ...LIMITS, ...config.perAddress, ...overrides.limits };
  const { authUrl, userinfoUrl, messengers, trustedProxies, serviceSecret } = config;

  await using parts = new AsyncDisposableStack();
  const authentication = parts.use(new Authentication(config, log));
  const nodes = parts.use(await Nodes.open({ messengers, limits, log, lookup: overrides.lookup }));
  let door: FrontDoor | undefined;
  const counted = (overrides.metrics ?? new Metrics()).of('gateway');
  const metrics = gatewayMetrics(counted, nodes, () => door?.open() ?? 0);
  const readiness = new Readiness(config, authentication, nodes);
  const proxies = parts.use(createProxies({ authenticator: authUrl, userinfo: userinfoUrl }, limits));
  const origins = new Origins(trustedProxies, log);
  const isService = (headers: IncomingHttpHeaders) =>
    isServiceSecret(headers[SERVICE_CREDENTIAL], serviceSecret);
  const requests = new InFlight(limits.requestsPerAddress, TOO_MANY_OF_ADDRESS);
  const { startsPerSecond: perSecond, startsPerTurn: perTurn, waitingStarts: maxWaiting } = limits;
  const starts = parts.use(new Starts({ perSecond, burst: perSecond, perTurn, maxWaiting }));
  const callers = { authentication, origins, requests, starts, isService, metrics, limits, log };
  const app = createGatewayApp({ ...config, ...callers, proxies, readiness });
  const http1 = await openHttp1Room(
    app,
    ({ headers, socket }, start) => {
      if (isService(headers)) starts.addExempt(start);
      else starts.add(addressKey(origins.of(headers, socket.remoteAddress ?? '').address), start);
    },
    limits,
  );
  parts.defer(() => http1.stop());
  const http2 = createHttp2Room({ ...callers, nodes, bridge: bridgeTo(http1.enter, limits) });
  const rooms = {
    http1: (socket: Socket, client: Client) => http1.enter(new PacedConnection(socket, client)),
    // A connection costs more than a stream: it is begun in the turn of its address as well.
    http2(socket: Socket, client: Client) {
      const start = { isGone: () => socket.destroyed, begin: () => http2.enter(socket, client) };
      if (client.isProxy) start.begin();
      else starts.add(addressKey(client.address), start);
    },
  };
  if (!config.isProduction && !isLoopback(config.host)) log.warn({ host: config.host }, OPEN_TO_OTHERS);
  const opened = await openFrontDoor(config, rooms, limits);
  door = opened;
  log.info({ url: opened.url }, 'gateway is listening');

  const running = parts.move();
  return {
    url: opened.url,
    missing: async () => {
      await readiness.refresh();
      return readiness.missing();
    },
    async [Symbol.asyncDispose]() {
      opened.close();
      // HTTP/2 first: its plain requests are answered in the other room.
      await http2.stop();
      await http1.stop();
      await opened.cut();
      await running.disposeAsync();
    },
  };
}

const isLoopback = (host: string): boolean => host === 'localhost' || LOOPBACK(host, 0);
const LOOPBACK = proxyAddr.compile('loopback');

const OPEN_TO_OTHERS =
  'other machines can reach this server and NODE_ENV is not production: set NODE_ENV=production, ' +
  'CHATTERBOX_SERVICE_SECRET and CHATTERBOX_SIGNING_KEYS';
