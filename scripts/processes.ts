import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endWithUs } from './end-with-us.ts';
import { freePorts } from './free-ports.ts';

/** A service with a number of its own where there are several of it: `messenger`, `messenger2`. */
export type ProcessName = `${'gateway' | 'authenticator' | 'userinfo' | 'messenger'}${'' | number}`;

export interface ProcessesOptions {
  /** Settings of all of them. */
  env: Record<string, string>;
  messengers?: number;
  gateways?: number;
  authenticators?: number;
  /** What becomes of their output. */
  stdio?: StdioOptions;
}

const ROOT = join(import.meta.dirname, '..');
const READY_MS = 60_000;
const ASK_EVERY_MS = 50;

/** The services as processes of their own on free loopback ports, meeting by configured addresses. None outlives this process. */
export class Processes implements AsyncDisposable {
  /** In the order in which they are started. */
  readonly names: readonly ProcessName[];
  readonly #env: ReadonlyMap<ProcessName, Record<string, string>>;
  readonly #stdio: StdioOptions;
  readonly #running = new Map<ProcessName, ChildProcess>();

  private constructor(env: ReadonlyMap<ProcessName, Record<string, string>>, stdio: StdioOptions) {
    this.names = [...env.keys()];
    this.#env = env;
    this.#stdio = stdio;
  }

  /** Decides where each will listen; none is running yet. */
  static async prepare(options: ProcessesOptions): Promise<Processes> {
    const { env, messengers = 1, gateways = 1, authenticators = 1, stdio = 'ignore' } = options;
    const names: ProcessName[] = [
      ...numbered('authenticator', authenticators),
      ...numbered('messenger', messengers),
      'userinfo',
      ...numbered('gateway', gateways),
    ];
    const ports = await freePorts(2 * names.length);
    const portOf = new Map(names.map((name, i) => [name, ports[i] ?? 0]));
    const addresses = names
      .filter((name) => name.startsWith('messenger'))
      .map((name) => `127.0.0.1:${portOf.get(name)}`);
    const shared = {
      ...env,
      CHATTERBOX_AUTH_URL: `http://127.0.0.1:${portOf.get('authenticator')}`,
      CHATTERBOX_USERINFO_URL: `http://127.0.0.1:${portOf.get('userinfo')}`,
      CHATTERBOX_MESSENGER: addresses.join(','),
    };
    const own = names.map((name, i) => {
      const admin = `${ports[names.length + i]}`;
      const itsOwn = { [portSettingOf(name)]: `${portOf.get(name)}`, CHATTERBOX_ADMIN_PORT: admin };
      return [name, { ...shared, ...itsOwn }] as const;
    });
    return new Processes(new Map(own), stdio);
  }

  /** Where everybody finds everything. */
  get url(): string {
    return this.urlOf('gateway');
  }

  urlOf(name: ProcessName): string {
    return `http://${this.addressOf(name)}`;
  }

  /** `host:port`. */
  addressOf(name: ProcessName): string {
    return `127.0.0.1:${this.#env.get(name)?.[portSettingOf(name)]}`;
  }

  /** Where its numbers are, for Prometheus. */
  metricsUrlOf(name: ProcessName): string {
    return `${this.adminUrlOf(name)}/metrics`;
  }

  adminUrlOf(name: ProcessName): string {
    return `http://127.0.0.1:${this.#env.get(name)?.CHATTERBOX_ADMIN_PORT}`;
  }

  pidOf(name: ProcessName): number {
    return this.#child(name).pid ?? 0;
  }

  start(...names: readonly ProcessName[]): void {
    for (const name of names) {
      const env = { ...process.env, ...this.#env.get(name) };
      const child = spawn(process.execPath, [`${roleOf(name)}/main.ts`], {
        cwd: ROOT,
        env,
        stdio: this.#stdio,
        // A process group of its own: a Ctrl-C reaches only us, and they are stopped in order.
        detached: true,
      });
      endWithUs(child);
      this.#running.set(name, child);
    }
  }

  /** Fulfils with the exit code when it is gone. */
  async stop(name: ProcessName, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child(name);
    this.#running.delete(name);
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, 'exit');
    child.kill(signal);
    // One that is paused hears only SIGKILL.
    child.kill('SIGCONT');
    return (await exited)[0];
  }

  /** `SIGSTOP` and `SIGCONT`, for example. */
  signal(name: ProcessName, signal: NodeJS.Signals): void {
    this.#child(name).kill(signal);
  }

  /** Fulfils with the first process that ends without being stopped. */
  async ended(): Promise<ProcessName> {
    const ends = Array.from(this.#running, async ([name, child]) => {
      if (child.exitCode === null) await once(child, 'exit');
      return this.#running.get(name) === child ? name : new Promise<never>(() => {});
    });
    return Promise.race(ends);
  }

  /** Fulfils once the gateway's /readyz names exactly this. @throws Error when it is not in time. */
  untilMissing(...missing: string[]): Promise<void> {
    return untilMissing(this.url, missing);
  }

  /** The same for the /readyz on the admin port of any of them. */
  untilMissingAt(name: ProcessName, ...missing: string[]): Promise<void> {
    return untilMissing(this.adminUrlOf(name), missing);
  }

  #child(name: ProcessName): ChildProcess {
    const child = this.#running.get(name);
    if (child === undefined) throw new Error(`${name} is not running`);
    return child;
  }

  /** From the outside in, with SIGTERM. Fulfils with the exit codes. */
  async stopAll(): Promise<(number | null)[]> {
    const codes: (number | null)[] = [];
    for (const name of this.names.toReversed())
      if (this.#running.has(name)) codes.push(await this.stop(name));
    return codes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#running.keys(), (name) => this.stop(name, 'SIGKILL')));
  }
}

async function untilMissing(url: string, missing: readonly string[]): Promise<void> {
  let last: unknown;
  for (const deadline = Date.now() + READY_MS; Date.now() < deadline; await delay(ASK_EVERY_MS)) {
    last = await missingAt(url);
    if (JSON.stringify(last) === JSON.stringify(missing)) return;
  }
  throw new Error(`/readyz misses ${JSON.stringify(last)}, not ${JSON.stringify(missing)}`);
}

async function missingAt(url: string): Promise<unknown> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return ((await response.json()) as { missing?: string[] }).missing ?? [];
  } catch (error) {
    return String(error);
  }
}

function numbered<Role extends ProcessName>(role: Role, count: number): ProcessName[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? role : (`${role}${i + 1}` as ProcessName)));
}

function roleOf(name: ProcessName): string {
  return name.replace(/\d+$/, '');
}

function portSettingOf(name: ProcessName): string {
  const role = roleOf(name);
  if (role === 'gateway') return 'PORT';
  return role === 'authenticator' ? 'CHATTERBOX_AUTH_PORT' : `CHATTERBOX_${role.toUpperCase()}_PORT`;
}
