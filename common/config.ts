import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { SETTINGS, type Setting } from './settings.ts';

export type Env = Record<string, string | undefined>;

/** Thrown at start-up; the message lists every problem in the words of whoever set the environment. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: string[];

  constructor(problems: string[]) {
    const list = problems.map((problem) => `  - ${problem}`).join('\n');
    super(
      `Chatterbox cannot start: ${problems.length === 1 ? 'a setting is' : 'settings are'} wrong.\n${list}`,
    );
    this.problems = problems;
  }
}

/**
 * What all the readers return, in their order, for several services in one process.
 * @throws ConfigError with what is wrong in any of them, each problem once.
 */
export function readAll<const Readers extends readonly (() => unknown)[]>(
  readers: Readers,
): Results<Readers> {
  const problems = new Set<string>();
  const configs = readers.map((read) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const problem of error.problems) problems.add(problem);
      return undefined;
    }
  });
  if (problems.size > 0) throw new ConfigError([...problems]);
  return configs as Results<Readers>;
}

/**
 * Reads settings one by one and collects what is wrong with them; `finish()` throws it all at once.
 * Every reader returns its default where the variable is unset or empty. `NAME_FILE` names a file that holds the value of NAME: for
 * secrets, which an environment shows to too many.
 */
export class ConfigReader {
  readonly #env: Env;
  readonly #problems: string[] = [];

  constructor(env: Env) {
    this.#env = { ...env };
    for (const [name, value] of Object.entries(env)) {
      if (!name.startsWith('CHATTERBOX_') || name in SETTINGS) continue;
      const setting = name.replace(/_FILE$/, '');
      if (name === setting || !(setting in SETTINGS)) this.problem(`${name} is not a setting${hint(name)}`);
      else if (value && env[setting]) this.problem(`${setting} and ${name} are both set`);
      else if (value) this.#env[setting] = this.#contentOf(name, value);
    }
  }

  problem(text: string): void {
    this.#problems.push(text);
  }

  /** Editors and `echo` end a file with a line break that is not part of the value. */
  #contentOf(name: string, path: string): string {
    try {
      const content = readFileSync(path, 'utf8').trim();
      if (content === '') this.problem(`${name}: ${path} is empty`);
      return content;
    } catch (error) {
      this.problem(`${name}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
      return '';
    }
  }

  text(name: Setting, fallback: string): string {
    return this.#env[name] || fallback;
  }

  /** A whole number from `min` to `max`. */
  integer(name: Setting, fallback: number, { min, max }: { min: number; max: number }): number {
    const raw = this.#env[name];
    if (!raw) return fallback;
    const value = Number(raw);
    if (/^\d+$/.test(raw) && value >= min && value <= max) return value;
    this.problem(`${name} must be a whole number from ${min} to ${max}, not "${raw}"`);
    return fallback;
  }

  port(name: Setting, fallback: number): number {
    return this.integer(name, fallback, { min: 0, max: 65_535 });
  }

  flag(name: Setting, fallback: boolean): boolean {
    return this.oneOf(name, fallback ? 'on' : 'off', ['on', 'off']) === 'on';
  }

  oneOf<const T extends string>(name: Setting, fallback: T, choices: readonly T[]): T {
    const raw = this.#env[name] || fallback;
    const choice = choices.find((c) => c === raw);
    if (choice === undefined) this.problem(`${name} must be one of ${choices.join(', ')}, not "${raw}"`);
    return choice ?? fallback;
  }

  list(name: Setting, fallback: string[] = []): string[] {
    const raw = this.#env[name];
    return raw
      ? raw
          .split(',')
          .map((item) => item.trim())
          .filter(Boolean)
      : fallback;
  }

  /** IP addresses and networks in CIDR notation. */
  networks(name: Setting): string[] {
    const networks = this.list(name);
    for (const network of networks)
      if (!isNetwork(network))
        this.problem(`${name}: "${network}" is not an IP address or network such as 10.0.0.0/8`);
    return networks;
  }

  /** An http or https URL, returned without a trailing slash. */
  url(name: Setting, fallback: string): string {
    const raw = this.#env[name] || fallback;
    if (/^https?:$/.test(URL.parse(raw)?.protocol ?? '')) return raw.replace(/\/+$/, '');
    this.problem(`${name} must be an http:// or https:// URL, not "${raw}"`);
    return fallback;
  }

  /** Where something is kept: `sqlite:`, or a URL of one of the schemes with host and path. It may hold a password, so it is not shown. */
  storeUrl(
    name: Setting,
    fallback: string,
    schemes: readonly string[],
    database: 'required' | 'optional' = 'required',
  ): string {
    const raw = this.#env[name] || fallback;
    const url = URL.parse(raw);
    const isServer =
      url !== null &&
      schemes.includes(url.protocol) &&
      url.hostname !== '' &&
      (database === 'optional' || url.pathname.length > 1);
    if (raw === 'sqlite:' || isServer) return raw;
    const path = database === 'optional' ? '' : '/database';
    const servers = schemes.map((scheme) => `${scheme}//user:password@host:port${path}`);
    this.problem(`${name} must be sqlite: or ${servers.join(' or ')}`);
    return fallback;
  }

  /** `local:`, or a NATS with one or more hosts. It may hold a password, so it is not shown. */
  busUrl(): string {
    const raw = this.#env.CHATTERBOX_BUS_URL || 'local:';
    if (raw === 'local:' || /^(nats|tls):\/\/([^@/]*@)?[^@/?]+\/?(\?.*)?$/.test(raw)) return raw;
    this.problem('CHATTERBOX_BUS_URL must be local: or nats://user:password@host:4222');
    return 'local:';
  }

  /** How old a stream grows, s: the messenger ends it, and the authenticator keeps revocations for it. */
  streamMaxAgeSeconds(): number {
    return this.integer('CHATTERBOX_STREAM_MAX_AGE_SECONDS', 3_600, { min: 1, max: 1_000_000 });
  }

  /** Reads per second and user: of messages in the messenger, of people in userinfo. */
  readsPerSecond(): number {
    return this.integer('CHATTERBOX_READ_RATE', 50, { min: 1, max: 1_000_000 });
  }

  /** First messages and friend requests, each, per hour and user: in the messenger and in userinfo. */
  firstContactsPerHour(): number {
    return this.integer('CHATTERBOX_FIRST_CONTACT_RATE', 60, { min: 1, max: 10_000_000 });
  }

  /** One `host:port` or more, separated by commas. */
  addresses(name: Setting, fallback: string[]): string[] {
    const addresses = this.list(name, fallback);
    for (const address of addresses)
      if (!isAddress(address)) this.problem(`${name} must be host:port or a list of them, not "${address}"`);
    return addresses.length > 0 ? [...new Set(addresses)] : fallback;
  }

  logLevel(): LogLevel {
    return this.oneOf('CHATTERBOX_LOG_LEVEL', 'info', LOG_LEVELS);
  }

  /** @throws ConfigError with every problem found. */
  finish(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }
}

/** An IPv6 address stands in brackets. */
function isAddress(text: string): boolean {
  const [, v6, digits] = /^(?:\[([\da-f:.]+)\]|[^\s:/[\]]+):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  return port > 0 && port <= 65_535 && (v6 === undefined || isIP(v6) === 6);
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const longest = isIP(address) === 6 ? 128 : 32;
  const isPrefix = bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= longest);
  return isIP(address) !== 0 && isPrefix && more.length === 0;
}

function hint(name: string): string {
  const closest = Object.keys(SETTINGS)
    .map((setting) => ({ setting, distance: editDistance(name, setting) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return closest !== undefined && closest.distance <= 4 ? `; did you mean ${closest.setting}?` : '';
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

type Results<Readers extends readonly (() => unknown)[]> = {
  -readonly [K in keyof Readers]: ReturnType<Readers[K]>;
};
