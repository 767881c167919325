import { ConfigReader, type Env } from '#common/config.ts';
import type { LogLevel } from '#common/log.ts';
import { readServiceSecret } from '#common/service-secret.ts';
import type { Quotas } from './http/budgets.ts';

export interface UserinfoConfig {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** The folder of all services; ours is a sub-folder. */
  dataDir: string;
  /** `http://host:port` of the authenticator. */
  authUrl: string;
  /** `host:port` of each messenger. */
  messengers: string[];
  issuer: string;
  audience: string;
  serviceSecret: string;
  /** Where the graph is kept: `sqlite:`, in the data folder, or `neo4j://...`. */
  graphUrl: string;
  /** What each user may ask for. */
  quotas: Quotas;
  logLevel: LogLevel;
}

/** `+s` is with TLS; `neo4j:` asks the server for the others of its cluster. */
const NEO4J = ['neo4j:', 'bolt:', 'neo4j+s:', 'bolt+s:'];

/** @throws ConfigError listing every problem. */
export function readConfig(env: Env): Readonly<UserinfoConfig> {
  const reader = new ConfigReader(env);
  const dataDir = reader.text('DATA_DIR', './data');
  const config: UserinfoConfig = {
    host: reader.text('CHATTERBOX_USERINFO_HOST', '127.0.0.1'),
    port: reader.port('CHATTERBOX_USERINFO_PORT', 8082),
    dataDir,
    authUrl: reader.url('CHATTERBOX_AUTH_URL', 'http://127.0.0.1:8081'),
    messengers: reader.addresses('CHATTERBOX_MESSENGER', ['127.0.0.1:9090']),
    issuer: reader.text('CHATTERBOX_ISSUER', 'chatterbox'),
    audience: reader.text('CHATTERBOX_AUDIENCE', 'chatterbox'),
    serviceSecret: readServiceSecret(reader, dataDir),
    graphUrl: reader.storeUrl('CHATTERBOX_GRAPH_URL', 'sqlite:', NEO4J, 'optional'),
    quotas: readQuotas(reader),
    logLevel: reader.logLevel(),
  };
  reader.finish();
  return Object.freeze(config);
}

function readQuotas(reader: ConfigReader): Quotas {
  const searches = reader.integer('CHATTERBOX_SEARCH_RATE', 30, { min: 1, max: 1_000_000 });
  return {
    search: { calls: searches, seconds: 60 },
    requests: { calls: reader.firstContactsPerHour(), seconds: 3_600 },
    // A client that starts asks for several things together.
    calls: { calls: 4 * reader.readsPerSecond(), seconds: 4 },
  };
}
