import type { RequestListener } from 'node:http';
import { ConfigReader, type Env, readAll } from './config.ts';
import { readinessOf } from './http/health.ts';
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

/** What a service may say of itself to operators. */
export interface Observed extends AsyncDisposable {
  /** What it waits for, by name. Default: nothing. */
  missing?(): string[] | Promise<string[]>;
}

/**
 * Starts what `start` starts, and, where one is configured, the admin server of its process, which answers from before the start until
 * after the stop.
 * @throws ConfigError with what is wrong in any setting.
 */
export async function startObserved<Config, Service extends Observed>(
  env: Env,
  readConfig: (env: Env) => Config,
  start: (config: Config, overrides: { metrics: Metrics }) => Promise<Service>,
): Promise<Service> {
  const [config, admin] = readAll([() => readConfig(env), () => readAdminConfig(env)]);
  await using parts = new AsyncDisposableStack();
  const metrics = new Metrics();
  let started: Service | undefined;
  const missing = () => (started === undefined ? ['start'] : (started.missing?.() ?? []));
  parts.use(await openAdmin(admin, metrics, missing));
  const service = parts.use(await start(config, { metrics }));
  started = service;
  const running = parts.move();
  return { ...service, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** The admin server with the numbers of the process among the others; nothing where it is off. */
export async function openAdmin(
  admin: AdminConfig,
  metrics: Metrics,
  missing: Missing = () => [],
): Promise<AsyncDisposable> {
  await using parts = new AsyncDisposableStack();
  if (admin.port !== 0) {
    parts.use(addProcessMetrics(metrics));
    parts.use(await startAdminServer(admin, metrics, missing));
  }
  return parts.move();
}

/** `/metrics`, `/healthz` and `/readyz`, and nothing else. Takes a free port for 0. */
export function startAdminServer(
  { host, port }: AdminConfig,
  metrics: Metrics,
  missing: Missing = () => [],
): Promise<HttpServer> {
  const pages: Record<string, () => Promise<Page>> = {
    '/metrics': async () => ({ status: 200, type: metrics.contentType, text: await metrics.text() }),
    '/healthz': async () => ({ status: 200, type: JSON_TYPE, text: '{"status":"ok"}' }),
    '/readyz': async () => {
      const { status, body } = readinessOf(await missing());
      return { status, type: JSON_TYPE, text: JSON.stringify(body) };
    },
  };
  const answer: RequestListener = async ({ method, url = '' }, response) => {
    const page = method === 'GET' && Object.hasOwn(pages, url) ? pages[url] : undefined;
    if (page === undefined) return void response.writeHead(404).end();
    const { status, type, text } = await page();
    response.writeHead(status, { 'content-type': type }).end(text);
  };
  return startHttpServer(answer, host, port);
}

const JSON_TYPE = 'application/json';

type Missing = () => string[] | Promise<string[]>;

interface Page {
  status: number;
  type: string;
  text: string;
}
