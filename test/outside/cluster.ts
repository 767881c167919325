import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Processes, type ProcessesOptions } from '../../scripts/processes.ts';

export interface ClusterOptions extends Omit<ProcessesOptions, 'env'> {
  /** A database, for accounts and messages. */
  mysql: string;
  /** Default: nodes hear of each other by the journal. */
  nats?: string | undefined;
  /** Default: the graph is in a file. */
  neo4j?: string | undefined;
  env?: Record<string, string>;
}

const dataDirs: string[] = [];

process.on('exit', () => {
  for (const dataDir of dataDirs) rmSync(dataDir, { recursive: true, force: true });
});

/**
 * The services as processes on these engines, with two messengers and without limits on what a user does.
 * None is started yet.
 */
export async function prepareCluster(options: ClusterOptions): Promise<Processes> {
  const { mysql, nats, neo4j, env = {}, ...others } = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  dataDirs.push(dataDir);
  return Processes.prepare({
    messengers: 2,
    ...others,
    env: {
      DATA_DIR: dataDir,
      CHATTERBOX_LOG_LEVEL: 'fatal',
      CHATTERBOX_ACCOUNTS_URL: mysql,
      CHATTERBOX_MESSAGES_URL: mysql,
      ...(nats === undefined ? {} : { CHATTERBOX_BUS_URL: nats }),
      ...(neo4j === undefined ? {} : { CHATTERBOX_GRAPH_URL: neo4j }),
      CHATTERBOX_SEND_RATE: '100000',
      CHATTERBOX_SEND_BURST: '100000',
      CHATTERBOX_READ_RATE: '1000000',
      CHATTERBOX_FIRST_CONTACT_RATE: '10000000',
      CHATTERBOX_SEARCH_RATE: '1000000',
      ...env,
    },
  });
}

/** Starts all of them; fulfils when the gateway is ready. */
export async function startCluster(options: ClusterOptions): Promise<Processes> {
  await using parts = new AsyncDisposableStack();
  const processes = parts.use(await prepareCluster(options));
  processes.start(...processes.names);
  await processes.untilMissing();
  parts.move();
  return processes;
}
