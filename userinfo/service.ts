import { join } from 'node:path';
import { openDataFolder } from '#common/data-folder.ts';
import { startHttpServer } from '#common/http/server.ts';
import { Authentication } from '#common/identity/authentication.ts';
import { createLog, type Log } from '#common/log.ts';
import { hostInWorker } from '#common/sqlite/host.ts';
import { AccountSeeding } from './accounts.ts';
import { AccountsHttp } from './adapters/accounts-http.ts';
import { CommitsGrpc } from './adapters/commits-grpc.ts';
import type { UserinfoConfig } from './config.ts';
import { Friends } from './friends.ts';
import { createUserinfoApp } from './http/app.ts';
import { PageTokens } from './http/page-tokens.ts';
import { followLastChatted } from './last-chatted.ts';
import { People } from './people.ts';
import type { Graph } from './ports.ts';

export interface Userinfo extends AsyncDisposable {
  /** `http://host:port`. */
  url: string;
}

export interface UserinfoOverrides {
  /** Now, ms since the epoch. */
  clock?: () => number;
  log?: Log;
}

const GRAPH = new URL('./adapters/graph-sqlite.ts', import.meta.url);

/** Everything that userinfo consists of, wired. Disposing finishes the requests in flight, then closes the rest. */
export async function startUserinfo(
  config: UserinfoConfig,
  { clock = Date.now, log = createLog('userinfo', config.logLevel) }: UserinfoOverrides = {},
): Promise<Userinfo> {
  const { authUrl, messenger, serviceSecret } = config;
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(openDataFolder(config.dataDir, 'userinfo'));
  const graph = parts.use(await hostInWorker<Graph>(GRAPH, [join(folder.path, 'graph.sqlite')]));

  const accounts = new AccountsHttp(authUrl, serviceSecret);
  const seeding = parts.use(await AccountSeeding.start(graph, accounts, log));
  const commits = parts.use(new CommitsGrpc(messenger, serviceSecret));
  parts.use(await followLastChatted(graph, commits, log));
  const authentication = parts.use(new Authentication(config, log));

  const missing = () => [
    ...(seeding.isCaughtUp ? authentication.missing() : ['authenticator']),
    ...(commits.isConnected ? [] : ['messenger']),
  ];
  const people = new People(graph, accounts);
  const friends = new Friends(graph, people, clock);
  const pageTokens = new PageTokens(serviceSecret);
  const app = createUserinfoApp({ authentication, graph, people, friends, pageTokens, missing, log });
  const server = parts.use(await startHttpServer(app, config.host, config.port));

  const running = parts.move();
  return { url: server.url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
