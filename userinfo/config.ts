import { ConfigReader, type Env } from '#common/config.ts';
import type { LogLevel } from '#common/log.ts';
import { readServiceSecret } from '#common/service-secret.ts';

export interface UserinfoConfig {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** The folder of all services; ours is a sub-folder. */
  dataDir: string;
  /** `http://host:port` of the authenticator. */
  authUrl: string;
  /** `host:port` of the messenger. */
  messenger: string;
  issuer: string;
  audience: string;
  serviceSecret: string;
  logLevel: LogLevel;
}

/** @throws ConfigError listing every problem. */
export function readConfig(env: Env): Readonly<UserinfoConfig> {
  const reader = new ConfigReader(env);
  const dataDir = reader.text('DATA_DIR', './data');
  const config: UserinfoConfig = {
    host: reader.text('CHATTERBOX_USERINFO_HOST', '127.0.0.1'),
    port: reader.port('CHATTERBOX_USERINFO_PORT', 8082),
    dataDir,
    authUrl: reader.url('CHATTERBOX_AUTH_URL', 'http://127.0.0.1:8081'),
    messenger: reader.address('CHATTERBOX_MESSENGER', '127.0.0.1:9090'),
    issuer: reader.text('CHATTERBOX_ISSUER', 'chatterbox'),
    audience: reader.text('CHATTERBOX_AUDIENCE', 'chatterbox'),
    serviceSecret: readServiceSecret(reader, dataDir),
    logLevel: reader.logLevel(),
  };
  reader.finish();
  return Object.freeze(config);
}
