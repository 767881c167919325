import { ConfigReader, type Env } from '#common/config.ts';
import type { LogLevel } from '#common/log.ts';
import { readServiceSecret } from '#common/service-secret.ts';
import type { Rate } from './user-rate.ts';

export interface MessengerConfig {
  host: string;
  /** 0 takes a free one. */
  port: number;
  dataDir: string;
  /** Where messages are kept: `sqlite:`, in the data folder, or `mysql://...`. */
  messagesUrl: string;
  /** How nodes tell each other of news: `local:` or `nats://...`. */
  busUrl: string;
  authUrl: string;
  serviceSecret: string;
  issuer: string;
  audience: string;
  sendRate: Rate;
  /** Of history and inbox. */
  readRate: Rate;
  /** First messages to people whom the sender has no conversation with. */
  firstContactRate: Rate;
  /** Streams opened. */
  openRate: Rate;
  /** A stream ends after this, a tenth more or less, and is to reconnect. */
  streamMaxAgeSeconds: number;
  /** A user has at most so many devices whose positions are kept. */
  maxDevices: number;
  hasReflection: boolean;
  logLevel: LogLevel;
}

/** A client that starts reads on in many conversations together. */
const READ_BURST_SECONDS = 4;

/** All devices of a user that lose their connections open their streams together. */
const OPEN_BURST_SECONDS = 6;

/** @throws ConfigError with everything that is wrong. */
export function readConfig(env: Env): Readonly<MessengerConfig> {
  const reader = new ConfigReader(env);
  const dataDir = reader.text('DATA_DIR', './data');
  const config = {
    host: reader.text('CHATTERBOX_MESSENGER_HOST', '127.0.0.1'),
    port: reader.port('CHATTERBOX_MESSENGER_PORT', 9090),
    dataDir,
    messagesUrl: reader.storeUrl('CHATTERBOX_MESSAGES_URL', 'sqlite:', ['mysql:']),
    busUrl: reader.busUrl(),
    authUrl: reader.url('CHATTERBOX_AUTH_URL', 'http://127.0.0.1:8081'),
    serviceSecret: readServiceSecret(reader, dataDir),
    issuer: reader.text('CHATTERBOX_ISSUER', 'chatterbox'),
    audience: reader.text('CHATTERBOX_AUDIENCE', 'chatterbox'),
    sendRate: {
      perSecond: reader.integer('CHATTERBOX_SEND_RATE', 100, { min: 1, max: 1_000_000 }),
      burst: reader.integer('CHATTERBOX_SEND_BURST', 1_000, { min: 1, max: 10_000_000 }),
    },
    readRate: readRate(reader),
    firstContactRate: firstContactRate(reader),
    openRate: openRate(reader),
    streamMaxAgeSeconds: reader.streamMaxAgeSeconds(),
    maxDevices: reader.integer('CHATTERBOX_MAX_DEVICES', 50, { min: 1, max: 10_000 }),
    hasReflection: reader.flag('CHATTERBOX_REFLECTION', true),
    logLevel: reader.logLevel(),
  };
  reader.finish();
  return Object.freeze(config);
}

function readRate(reader: ConfigReader): Rate {
  const perSecond = reader.readsPerSecond();
  return { perSecond, burst: READ_BURST_SECONDS * perSecond };
}

/** An hour's worth may come together. */
function firstContactRate(reader: ConfigReader): Rate {
  const perHour = reader.firstContactsPerHour();
  return { perSecond: perHour / 3_600, burst: perHour };
}

/** One stream for five reads. */
function openRate(reader: ConfigReader): Rate {
  const perSecond = Math.ceil(reader.readsPerSecond() / 5);
  return { perSecond, burst: OPEN_BURST_SECONDS * perSecond };
}
