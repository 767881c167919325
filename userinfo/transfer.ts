import type { Source, Target } from '#common/transfer/transfer.ts';
import { openNeo4jTransfer } from './adapters/graph-neo4j.ts';
import { sqliteGraphSource } from './adapters/sqlite/transfer.ts';
import type { UserinfoConfig } from './config.ts';

type Where = Pick<UserinfoConfig, 'graphUrl' | 'dataDir'>;

/** The graph, to be exported. @throws FolderInUseError while a userinfo runs on the file; Error when there is none. */
export async function graphSource({ graphUrl, dataDir }: Where): Promise<Source> {
  return graphUrl === 'sqlite:' ? sqliteGraphSource(dataDir, 'graph.sqlite') : openNeo4jTransfer(graphUrl);
}

/** Where an exported graph is brought to: a server. */
export async function graphTarget({ graphUrl }: Where): Promise<Target> {
  if (graphUrl === 'sqlite:') throw new Error('CHATTERBOX_GRAPH_URL must name a Neo4j');
  return openNeo4jTransfer(graphUrl);
}
