import { join } from 'node:path';
import { ConfigReader, type Env } from '#common/config.ts';
import type { LogLevel } from '#common/log.ts';
import { readServiceSecret } from '#common/service-secret.ts';

export interface AuthenticatorConfig {
  host: string;
  /** 0 takes a free one. */
  port: number;
  dataDir: string;
  /** Where accounts are kept: `sqlite:`, in the data folder, or `mysql://...`. */
  accountsUrl: string;
  /** How authenticators tell each other of news: `local:`, or `nats://...`. */
  busUrl: string;
  serviceSecret: string;
  issuer: string;
  audience: string;
  accessTokenSeconds: number;
  /** What the messenger is told too: revocations are kept for the streams that outlive their tokens. */
  streamMaxAgeSeconds: number;
  /** The file of signing keys. */
  signingKeys: string;
  /** Whether that file is ours to make, in the data folder; else it is mounted by whoever runs us. */
  makesKeys: boolean;
  /** Failed logins per account and address before they are slowed. */
  loginAttempts: number;
  /** Proxies, besides this machine, whose X-Forwarded-For is believed. */
  trustProxy: string[];
  logLevel: LogLevel;
}

/** @throws ConfigError with everything that is wrong. */
export function readConfig(env: Env): Readonly<AuthenticatorConfig> {
  const reader = new ConfigReader(env);
  const dataDir = reader.text('DATA_DIR', './data');
  const config = {
    host: reader.text('CHATTERBOX_AUTH_HOST', '127.0.0.1'),
    port: reader.port('CHATTERBOX_AUTH_PORT', 8081),
    dataDir,
    accountsUrl: reader.storeUrl('CHATTERBOX_ACCOUNTS_URL', 'sqlite:', ['mysql:']),
    busUrl: reader.busUrl(),
    serviceSecret: readServiceSecret(reader, dataDir),
    issuer: reader.text('CHATTERBOX_ISSUER', 'chatterbox'),
    audience: reader.text('CHATTERBOX_AUDIENCE', 'chatterbox'),
    accessTokenSeconds: reader.integer('CHATTERBOX_ACCESS_TOKEN_SECONDS', 900, { min: 1, max: 86_400 }),
    streamMaxAgeSeconds: reader.streamMaxAgeSeconds(),
    ...keysFile(reader),
    loginAttempts: reader.integer('CHATTERBOX_LOGIN_ATTEMPTS', 5, { min: 1, max: 1_000 }),
    trustProxy: reader.networks('CHATTERBOX_TRUST_PROXY'),
    logLevel: reader.logLevel(),
  };
  if (config.makesKeys && reader.text('NODE_ENV', '') === 'production')
    reader.problem('CHATTERBOX_SIGNING_KEYS must be set in production');
  reader.finish();
  return Object.freeze(config);
}

/** The file of signing keys alone, for a command that needs nothing else. @throws ConfigError. */
export function readKeysFile(env: Env): string {
  const reader = new ConfigReader(env);
  const { signingKeys } = keysFile(reader);
  reader.finish();
  return signingKeys;
}

function keysFile(reader: ConfigReader): { signingKeys: string; makesKeys: boolean } {
  const mounted = reader.text('CHATTERBOX_SIGNING_KEYS', '');
  if (mounted !== '') return { signingKeys: mounted, makesKeys: false };
  const dataDir = reader.text('DATA_DIR', './data');
  return { signingKeys: join(dataDir, 'authenticator', 'signing-keys.json'), makesKeys: true };
}
