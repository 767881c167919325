import { ConfigReader, type Env } from '#common/config.ts';
import type { LogLevel } from '#common/log.ts';
import { readServiceSecret } from '#common/service-secret.ts';
import type { Setting } from '#common/settings.ts';
import { LIMITS, type Limits } from './limits.ts';

export interface GatewayConfig {
  isProduction: boolean;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** `http://host:port` of the authenticator. */
  authUrl: string;
  /** `http://host:port` of userinfo. */
  userinfoUrl: string;
  /** `host:port` of each messenger; a name may stand for several. */
  messengers: string[];
  /** Origins of web pages that may call us. */
  corsOrigins: string[];
  /** Addresses and networks (CIDR) of proxies in front of us. */
  trustedProxies: string[];
  /** The same of proxies that begin each connection with a PROXY header, version 2. */
  proxyProtocol: string[];
  /** What one address may take, see limits.ts. */
  perAddress: PerAddress;
  issuer: string;
  audience: string;
  serviceSecret: string;
  logLevel: LogLevel;
}

export type PerAddress = Pick<
  Limits,
  | 'connectionsPerAddress'
  | 'undecidedPerAddress'
  | 'requestsPerAddress'
  | 'callsPerAddress'
  | 'startsPerSecond'
>;

/** @throws ConfigError listing every problem. */
export function readConfig(env: Env): Readonly<GatewayConfig> {
  const reader = new ConfigReader(env);
  const config: GatewayConfig = {
    isProduction: reader.text('NODE_ENV', '') === 'production',
    host: reader.text('HOST', '127.0.0.1'),
    port: reader.port('PORT', 8080),
    authUrl: reader.url('CHATTERBOX_AUTH_URL', 'http://127.0.0.1:8081'),
    userinfoUrl: reader.url('CHATTERBOX_USERINFO_URL', 'http://127.0.0.1:8082'),
    messengers: reader.addresses('CHATTERBOX_MESSENGER', ['127.0.0.1:9090']),
    corsOrigins: reader.list('CHATTERBOX_CORS_ORIGINS'),
    trustedProxies: reader.networks('CHATTERBOX_TRUST_PROXY'),
    proxyProtocol: reader.networks('CHATTERBOX_PROXY_PROTOCOL'),
    perAddress: {
      connectionsPerAddress: limit(
        reader,
        'CHATTERBOX_CONNECTIONS_PER_ADDRESS',
        LIMITS.connectionsPerAddress,
      ),
      undecidedPerAddress: limit(reader, 'CHATTERBOX_UNDECIDED_PER_ADDRESS', LIMITS.undecidedPerAddress),
      requestsPerAddress: limit(reader, 'CHATTERBOX_REQUESTS_PER_ADDRESS', LIMITS.requestsPerAddress),
      startsPerSecond: limit(reader, 'CHATTERBOX_STARTS_PER_ADDRESS', LIMITS.startsPerSecond),
      callsPerAddress: limit(reader, 'CHATTERBOX_CALLS_PER_ADDRESS', LIMITS.callsPerAddress),
    },
    issuer: reader.text('CHATTERBOX_ISSUER', 'chatterbox'),
    audience: reader.text('CHATTERBOX_AUDIENCE', 'chatterbox'),
    serviceSecret: readServiceSecret(reader, reader.text('DATA_DIR', './data')),
    logLevel: reader.logLevel(),
  };
  for (const origin of config.corsOrigins)
    if (!isOrigin(origin))
      reader.problem(`CHATTERBOX_CORS_ORIGINS: "${origin}" is not an origin such as https://app.example.org`);
  reader.finish();
  return Object.freeze(config);
}

function limit(reader: ConfigReader, name: Setting, fallback: number): number {
  return reader.integer(name, fallback, { min: 1, max: 1_000_000 });
}

/** Exactly what a browser sends: no path, no trailing slash, no wildcard. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text && !text.includes('*');
}
