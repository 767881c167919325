import { readFileSync } from 'node:fs';
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node';
import type { Log } from '../log.ts';
import { type Bus, MAX_MESSAGE_BYTES, Subscriptions } from './bus.ts';

/** What may be on its way without the server's word that it has it; beyond that messages are dropped. */
const MAX_PENDING_BYTES = 8 * 1024 * 1024;
/** The server is asked for its word each time that so much has gone out. */
const CONFIRM_BYTES = 256 * 1024;
const LONGEST_WAIT_MS = 2_000;
const PING_MS = 2_000;

/** Core NATS: nothing is stored. Connects in the background, and again for ever. */
export class NatsBus implements Bus {
  readonly #log: Log;
  readonly #subscriptions = new Subscriptions();
  readonly #open = new Map<string, Subscription>();
  readonly #connecting: Promise<void>;
  readonly #closing = new AbortController();
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #pendingBytes = 0;
  #isConfirming = false;
  #dropped = 0;

  constructor(url: string, log: Log) {
    this.#log = log;
    this.#connecting = this.#connect(natsOptions(url));
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get dropped(): number {
    return this.#dropped;
  }

  publish(subject: string, message?: Uint8Array): void {
    const bytes = message?.length ?? 0;
    const hasRoom = this.#pendingBytes < MAX_PENDING_BYTES && bytes <= MAX_MESSAGE_BYTES;
    if (!this.#isConnected || !hasRoom || !this.#try((nats) => nats.publish(subject, message))) {
      this.#dropped++;
      return;
    }
    this.#pendingBytes += bytes + subject.length;
    if (this.#pendingBytes >= CONFIRM_BYTES && !this.#isConfirming) this.#confirm();
  }

  subscribe(subject: string, listener: (message: Uint8Array) => void): Disposable {
    if (this.#subscriptions.add(subject, listener)) this.#try((nats) => this.#listen(nats, subject));
    return {
      [Symbol.dispose]: () => {
        if (!this.#subscriptions.remove(subject, listener)) return;
        const subscription = this.#open.get(subject);
        this.#open.delete(subject);
        this.#try(() => subscription?.unsubscribe());
      },
    };
  }

  /** The library's own wait for a first connection cannot be called off, hence ours. */
  async #connect(options: ConnectionOptions): Promise<void> {
    const { signal } = this.#closing;
    for (let wait = 100; !signal.aborted; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      try {
        this.#connection = await connect(options);
        break;
      } catch (error) {
        this.#log.warn({ cause: String(error) }, 'the bus does not answer; trying again');
        await pause(wait, signal);
      }
    }
    const connection = this.#connection;
    if (connection === undefined) return;
    if (signal.aborted) return void (await connection.close());
    this.#isConnected = true;
    for (const subject of this.#subscriptions.subjects) this.#listen(connection, subject);
    this.#watch(connection);
  }

  #listen(connection: NatsConnection, subject: string): void {
    const callback = (error: Error | null, { data }: { data: Uint8Array }) => {
      if (error === null) this.#subscriptions.hear(subject, data);
    };
    this.#open.set(subject, connection.subscribe(subject, { callback }));
  }

  /** The connection subscribes again by itself when it is back. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect' || type === 'staleConnection' || type === 'reconnecting') this.#lost();
      if (type === 'reconnect') {
        this.#isConnected = true;
        this.#pendingBytes = 0;
        this.#log.info('the bus is back');
      }
    }
    this.#isConnected = false;
  }

  #lost(): void {
    if (this.#isConnected) this.#log.warn('the bus is away; other nodes hear of news a second later');
    this.#isConnected = false;
  }

  /** The server answers in order: with its answer it has all that was published before. */
  async #confirm(): Promise<void> {
    this.#isConfirming = true;
    const bytes = this.#pendingBytes;
    try {
      await this.#connection?.flush();
    } catch {
      // The connection has broken, and is reported by its status.
    } finally {
      this.#isConfirming = false;
      this.#pendingBytes = Math.max(0, this.#pendingBytes - bytes);
    }
  }

  /** A connection that is just closing throws. */
  #try(work: (connection: NatsConnection) => void): boolean {
    if (this.#connection === undefined) return false;
    try {
      work(this.#connection);
      return true;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#connecting;
    await this.#connection?.close();
  }
}

/**
 * `nats://host:port` or `tls://`, several hosts by commas; a user and a password, or a token in the user's place; `?creds=FILE` for a
 * credentials file, `?ca=FILE` for an authority of one's own.
 * @throws Error when a file cannot be read.
 */
export function natsOptions(url: string): ConnectionOptions {
  const [, scheme = '', credentials = '', hosts = '', query = ''] =
    /^(nats|tls):\/\/(?:([^@/]*)@)?([^/?]+)\/?(?:\?(.*))?$/.exec(url) ?? [];
  const [user = '', pass] = credentials.split(':').map(decodeURIComponent);
  const files = new URLSearchParams(query);
  const creds = files.get('creds');
  const ca = files.get('ca');
  return {
    servers: hosts.split(','),
    ...(pass !== undefined ? { user, pass } : user !== '' ? { token: user } : {}),
    ...(creds === null ? {} : { authenticator: credsAuthenticator(readFileSync(creds)) }),
    ...(scheme === 'tls' || ca !== null ? { tls: ca === null ? {} : { ca: readFileSync(ca, 'utf8') } } : {}),
    noEcho: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    timeout: 2_000,
    pingInterval: PING_MS,
    maxPingOut: 2,
    ignoreClusterUpdates: false,
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
