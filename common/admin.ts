import type { RequestListener } from 'node:http';
import { ConfigReader, type Env, readAll } from './config.ts';
import { type HttpServer, startHttpServer } from './http/server.ts';
import { Metrics } from './metrics.ts';
import { addProcessMetrics } from './process-metrics.ts';

/** Where operators look; not for the public. */
export interface AdminConfig {
  host: string;
  /** 0 is off. */
  port: number;
}

/** @throws ConfigError listing every problem. */
export function readAdminConfig(env: Env): AdminConfig {
  const reader = new ConfigReader(env);
  const admin = {
    host: reader.text('CHATTERBOX_ADMIN_HOST', '127.0.0.1'),
    port: reader.port('CHATTERBOX_ADMIN_PORT', 0),
  };
  reader.finish();
  return admin;
}

/**
 * Starts what `start` starts, and, where one is configured, the admin server of its process, which answers from before the start until
 * after the stop.
 * @throws ConfigError with what is wrong in any setting.
 */
export async function startObserved<Config, Service extends AsyncDisposable>(
  env: Env,
  readConfig: (env: Env) => Config,
  start: (config: Config, overrides: { metrics: Metrics }) => Promise<Service>,
): Promise<Service> {
  const [config, admin] = readAll([() => readConfig(env), () => readAdminConfig(env)]);
  await using parts = new AsyncDisposableStack();
  const metrics = new Metrics();
  parts.use(await openAdmin(admin, metrics));
  const service = parts.use(await start(config, { metrics }));
  const running = parts.move();
  return { ...service, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** The admin server with the numbers of the process among the others; nothing where it is off. */
export async function openAdmin(admin: AdminConfig, metrics: Metrics): Promise<AsyncDisposable> {
  await using parts = new AsyncDisposableStack();
  if (admin.port !== 0) {
    parts.use(addProcessMetrics(metrics));
    parts.use(await startAdminServer(admin, metrics));
  }
  return parts.move();
}

/** `/metrics`, and nothing else. Takes a free port for 0. */
export function startAdminServer({ host, port }: AdminConfig, metrics: Metrics): Promise<HttpServer> {
  const answer: RequestListener = async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    const text = await metrics.text();
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
  };
  return startHttpServer(answer, host, port);
}
