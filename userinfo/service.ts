import { httpMetrics } from '#common/http/metrics.ts';
import { startHttpServer } from '#common/http/server.ts';
import { Authentication } from '#common/identity/authentication.ts';
import type { Running } from '#common/lifecycle.ts';
import { createLog, type Log } from '#common/log.ts';
import { Metrics } from '#common/metrics.ts';
import { AccountSeeding } from './accounts.ts';
import { AccountsHttp } from './adapters/accounts-http.ts';
import { CommitsGrpc } from './adapters/commits-grpc.ts';
import type { UserinfoConfig } from './config.ts';
import { Friends } from './friends.ts';
import { createUserinfoApp } from './http/app.ts';
import { PageTokens } from './http/page-tokens.ts';
import { followLastChatted } from './last-chatted.ts';
import { openGraph } from './open-store.ts';
import { People } from './people.ts';
import { type Rebuilt, rebuildLastChatted } from './rebuild.ts';
import { Suggestions } from './suggestions.ts';

export { graphSchema } from './open-store.ts';
export { graphSource, graphTarget } from './transfer.ts';

export interface Userinfo extends Running {
  /** `http://host:port`. */
  url: string;
  /** What it waits for, by name. */
  missing(): Promise<string[]>;
}

export interface UserinfoOverrides {
  /** Now, ms since the epoch. */
  clock?: () => number;
  log?: Log;
  /** Where our numbers go. */
  metrics?: Metrics;
}

/**
 * Everything that userinfo consists of, wired. It listens before its graph is there, and answers UNAVAILABLE until then. Disposing
 * finishes the requests in flight, then closes the rest.
 * @throws CannotOpenError when the graph's engine refuses us for good.
 */
export async function startUserinfo(
  config: UserinfoConfig,
  {
    clock = Date.now,
    log = createLog('userinfo', config.logLevel),
    metrics = new Metrics(),
  }: UserinfoOverrides = {},
): Promise<Userinfo> {
  const { authUrl, messengers, serviceSecret } = config;
  await using parts = new AsyncDisposableStack();
  const opened = parts.use(await openGraph(config, log));
  const { graph } = opened;

  const accounts = new AccountsHttp(authUrl, serviceSecret);
  const seeding = parts.use(new AccountSeeding(graph, accounts, log));
  const commits = parts.use(new CommitsGrpc(messengers, serviceSecret));
  parts.use(followLastChatted(graph, commits, log));
  const authentication = parts.use(new Authentication(config, log));

  const missing = async () => [
    ...(await opened.missing()),
    ...(seeding.isCaughtUp ? authentication.missing() : ['authenticator']),
    ...(commits.isConnected ? [] : ['messenger']),
  ];
  const people = new People(graph, accounts);
  const friends = new Friends(graph, people, clock);
  const suggestions = new Suggestions(graph, people);
  const pageTokens = new PageTokens(serviceSecret);
  const onAnswered = httpMetrics(metrics.of('userinfo'));
  const app = createUserinfoApp({
    authentication,
    graph,
    people,
    friends,
    suggestions,
    pageTokens,
    quotas: config.quotas,
    missing,
    onAnswered,
    log,
  });
  const server = parts.use(await startHttpServer(app, config.host, config.port));

  await opened.firstTry();
  const running = parts.move();
  return {
    url: server.url,
    missing,
    ...(opened.failed && { failed: opened.failed }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/**
 * Rebuilds when people last chatted from the messenger's feed: in a graph on a server now, beside whoever uses it; in a file, which nobody
 * may have open, at the next start, for the messenger may be stopped as well.
 * @throws FolderInUseError, CannotOpenError, ServiceError UNAVAILABLE when the graph or the messenger does not answer.
 */
export async function rebuild(config: UserinfoConfig, log: Log): Promise<Rebuilt | 'at the next start'> {
  await using opened = await openGraph(config, log);
  await opened.firstTry();
  if (config.graphUrl === 'sqlite:') {
    await opened.graph.forgetChats();
    return 'at the next start';
  }
  using commits = new CommitsGrpc(config.messengers, config.serviceSecret);
  return await rebuildLastChatted(opened.graph, commits, new AbortController().signal, log);
}
