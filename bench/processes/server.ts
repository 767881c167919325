import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Person } from '../load/load.ts';
import { hear, start, stop } from './child.ts';
import { openDatabase } from './database.ts';
import { makePeople } from './people.ts';
import type { Probe, Question } from './probe.ts';
import type { Pids } from './usage.ts';

export interface ServerOptions {
  /** The system, the system without its store, or grpc-js alone. */
  program: 'system' | 'transport' | 'echo';
  /** `sqlite:`, or a server on which it gets a database of its own. */
  store?: string;
  /** The checkout that is measured; default: this one. */
  root?: string;
  /**
   * One address may take what it may in production; else all clients of the bench come from one without
   * limits.
   */
  hasLimits?: boolean;
  /** Fills the store before the start. */
  prepare?: (where: Where) => Promise<void>;
  /** A folder that exists; it is kept. Default: a new one, removed at the end. */
  dataDir?: string;
  /** A database that exists, by name; it is kept. */
  database?: string;
}

export interface Where {
  dataDir: string;
  /** `sqlite:` or the URL of the database. */
  messagesUrl: string;
}

export interface ServerUnderTest extends AsyncDisposable {
  /** `http://host:port` of the gateway. */
  url: string;
  /** `host:port` of the messenger. */
  messenger: string;
  /** From the start of the process until it took calls. */
  readyMs: number;
  pids: Pids;
  /** People with accounts and valid tokens, who connect through the gateway or directly. */
  people(usernames: readonly string[], through: Through): Person[];
  probe(question?: Question): Promise<Probe>;
}

export type Through = 'gateway' | 'direct';

/** What all clients of the bench take from one address. */
const FROM_ONE_ADDRESS = {
  CHATTERBOX_CONNECTIONS_PER_ADDRESS: '20000',
  CHATTERBOX_UNDECIDED_PER_ADDRESS: '20000',
  CHATTERBOX_REQUESTS_PER_ADDRESS: '20000',
  CHATTERBOX_CALLS_PER_ADDRESS: '100000',
  CHATTERBOX_STARTS_PER_ADDRESS: '1000000',
};

/**
 * The bench's users are not held back by their rates, nor by having one address, and its terminal is for
 * figures.
 */
export const UNLIMITED = {
  ...FROM_ONE_ADDRESS,
  CHATTERBOX_SEND_RATE: '1000000',
  CHATTERBOX_SEND_BURST: '10000000',
  CHATTERBOX_READ_RATE: '1000000',
  CHATTERBOX_FIRST_CONTACT_RATE: '10000000',
  CHATTERBOX_SEARCH_RATE: '1000000',
  CHATTERBOX_LOG_LEVEL: 'error',
};

/** An empty setting is its default. */
const DEFAULTS = Object.fromEntries(Object.keys(FROM_ONE_ADDRESS).map((name) => [name, '']));

const ROOT = join(import.meta.dirname, '../..');
const PROGRAMS = {
  system: ['bench/processes/system.ts'],
  transport: ['bench/processes/system.ts', '--floor'],
  echo: ['bench/floors/echo.ts'],
} as const;
/** As long as a real one: whoever has it keeps it in memory. */
const NO_TOKEN = 'x'.repeat(360);
const START_MS = 60_000;
const PROBE_MS = 30_000;

/** Starts it in a process of its own. */
export async function startServer(options: ServerOptions): Promise<ServerUnderTest> {
  const { program, store = 'sqlite:', root = ROOT, prepare } = options;
  await using cleanup = new AsyncDisposableStack();
  const dataDir = options.dataDir ?? newFolder(cleanup);
  const database = store === 'sqlite:' ? undefined : cleanup.use(await openDatabase(store, options.database));
  const messagesUrl = database?.url ?? store;
  await prepare?.({ dataDir, messagesUrl });

  const [file, ...args] = PROGRAMS[program];
  const env = { ...process.env, PORT: '0', DATA_DIR: dataDir, CHATTERBOX_MESSAGES_URL: messagesUrl };
  const began = performance.now();
  const settings = options.hasLimits ? { ...UNLIMITED, ...DEFAULTS } : UNLIMITED;
  const child = start(join(root, file), args, { ...env, ...(await knownTo(root, settings)) });
  cleanup.defer(() => stop(child, 'SIGTERM'));
  const { url, messenger } = await hear<{ url: string; messenger: string }>(child, START_MS);
  const readyMs = performance.now() - began;
  const running = cleanup.move();
  return {
    url,
    messenger,
    readyMs,
    pids: { server: [child.pid ?? 0], ...(database?.pid === undefined ? {} : { database: [database.pid] }) },
    people(usernames, through) {
      const address = through === 'gateway' ? url.replace('http://', '') : messenger;
      const tokens = program === 'echo' ? undefined : makePeople(dataDir, usernames);
      return usernames.map((username) => ({ username, token: tokens?.get(username) ?? NO_TOKEN, address }));
    },
    async probe(question = {}) {
      child.send(question);
      return hear<Probe>(child, PROBE_MS);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Another checkout may be older than a setting, and refuses what it does not know. */
async function knownTo(root: string, settings: Record<string, string>): Promise<Record<string, string>> {
  const { SETTINGS } = (await import(join(root, 'common/settings.ts'))) as { SETTINGS: object };
  return Object.fromEntries(Object.entries(settings).filter(([name]) => name in SETTINGS));
}

function newFolder(cleanup: AsyncDisposableStack): string {
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
