import { ConfigReader, type Env } from '#common/config.ts';
import type { LogLevel } from '#common/log.ts';
import { readServiceSecret } from '#common/service-secret.ts';

export interface AuthenticatorConfig {
  host: string;
  /** 0 takes a free one. */
  port: number;
  dataDir: string;
  serviceSecret: string;
  issuer: string;
  audience: string;
  accessTokenSeconds: number;
  /** A mounted file of signing keys; empty: made and kept in the data folder. */
  signingKeys: string;
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
    serviceSecret: readServiceSecret(reader, dataDir),
    issuer: reader.text('CHATTERBOX_ISSUER', 'chatterbox'),
    audience: reader.text('CHATTERBOX_AUDIENCE', 'chatterbox'),
    accessTokenSeconds: reader.integer('CHATTERBOX_ACCESS_TOKEN_SECONDS', 900, { min: 1, max: 86_400 }),
    signingKeys: reader.text('CHATTERBOX_SIGNING_KEYS', ''),
    loginAttempts: reader.integer('CHATTERBOX_LOGIN_ATTEMPTS', 5, { min: 1, max: 1_000 }),
    trustProxy: reader.list('CHATTERBOX_TRUST_PROXY'),
    logLevel: reader.logLevel(),
  };
  if (config.signingKeys === '' && reader.text('NODE_ENV', '') === 'production')
    reader.problem('CHATTERBOX_SIGNING_KEYS must be set in production');
  reader.finish();
  return Object.freeze(config);
}
