import { join } from 'node:path';
import { openDataFolder } from '#common/data-folder.ts';
import { Eventually, standIn } from '#common/eventually.ts';
import type { Log } from '#common/log.ts';
import type { StoreSchema } from '#common/migrations.ts';
import { hostInWorker } from '#common/sqlite/host.ts';
import { mayPass, openNeo4jGraph } from './adapters/graph-neo4j.ts';
import { neo4jGraphSchema, sqliteGraphSchema } from './adapters/graph-schema.ts';
import type { UserinfoConfig } from './config.ts';
import type { Graph } from './ports.ts';

type Where = Pick<UserinfoConfig, 'graphUrl' | 'dataDir'>;

export interface OpenedGraph extends AsyncDisposable {
  graph: Graph;
  /** What is away, by name; asks it. */
  missing(): Promise<string[]>;
  /** @throws CannotOpenError when the engine refuses us for good. */
  firstTry(): Promise<void>;
  /** Rejects when it does so later, or the file's thread has died; else never settles. */
  failed?: Promise<never>;
}

const SQLITE = new URL('./adapters/graph-sqlite.ts', import.meta.url);

/**
 * The graph on the engine that the URL names. A file is this process's alone, and there at once; a server is shared with others, and may
 * come later: until then every method rejects with UNAVAILABLE.
 */
export async function openGraph(where: Where, log: Log): Promise<OpenedGraph> {
  return where.graphUrl === 'sqlite:' ? openFile(where) : openServer(where.graphUrl, log);
}

async function openFile({ dataDir }: Where): Promise<OpenedGraph> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(openDataFolder(dataDir, 'userinfo'));
  const graph = parts.use(await hostInWorker<Graph>(SQLITE, fileIn(folder.path)));
  const opened = parts.move();
  return {
    graph,
    missing: async () => [],
    firstTry: async () => {},
    failed: graph.failed,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function openServer(url: string, log: Log): OpenedGraph {
  const late = new Eventually<Graph & AsyncDisposable>({
    name: 'Neo4j',
    open: () => openNeo4jGraph(url),
    mayPass,
    log,
  });
  const graph = standIn<Graph>(late);
  return {
    graph,
    missing: () =>
      graph.ping().then(
        () => [],
        () => [late.name],
      ),
    firstTry: () => late.firstTry(),
    failed: late.failed,
    [Symbol.asyncDispose]: () => late[Symbol.asyncDispose](),
  };
}

/** The schema of the graph, without starting anything. */
export function graphSchema({ graphUrl, dataDir }: Where): StoreSchema & AsyncDisposable {
  if (graphUrl !== 'sqlite:') return { ...neo4jGraphSchema(graphUrl), async [Symbol.asyncDispose]() {} };
  const folder = openDataFolder(dataDir, 'userinfo');
  return {
    ...sqliteGraphSchema(fileIn(folder.path)),
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}

function fileIn(folder: string): string {
  return join(folder, 'graph.sqlite');
}
