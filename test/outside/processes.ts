import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call } from './http.ts';

export const SERVICES = ['authenticator', 'messenger', 'userinfo', 'gateway'] as const;
export type Service = (typeof SERVICES)[number];

/** The four services as processes of their own, meeting by configured addresses. */
export class FourProcesses implements AsyncDisposable {
  readonly url: string;
  readonly #env: Record<string, string>;
  readonly #children = new Map<Service, ChildProcess>();

  private constructor(env: Record<string, string>) {
    this.#env = env;
    this.url = `http://127.0.0.1:${env.PORT}`;
  }

  /** Prepares them; none is running yet. */
  static async prepare(): Promise<FourProcesses> {
    const [gateway, auth, userinfo, messenger] = await freePorts(4);
    return new FourProcesses({
      DATA_DIR: mkdtempSync(join(tmpdir(), 'chatterbox-')),
      CHATTERBOX_LOG_LEVEL: 'fatal',
      PORT: `${gateway}`,
      CHATTERBOX_AUTH_PORT: `${auth}`,
      CHATTERBOX_AUTH_URL: `http://127.0.0.1:${auth}`,
      CHATTERBOX_USERINFO_PORT: `${userinfo}`,
      CHATTERBOX_USERINFO_URL: `http://127.0.0.1:${userinfo}`,
      CHATTERBOX_MESSENGER_PORT: `${messenger}`,
      CHATTERBOX_MESSENGER: `127.0.0.1:${messenger}`,
    });
  }

  start(...services: readonly Service[]): void {
    for (const service of services) {
      const env = { ...process.env, ...this.#env };
      this.#children.set(service, spawn(process.execPath, [`${service}/main.ts`], { env, stdio: 'ignore' }));
    }
  }

  /** Fulfils with the exit code. */
  async stop(service: Service, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#children.get(service);
    if (child === undefined) throw new Error(`${service} is not running`);
    this.#children.delete(service);
    const exited = once(child, 'exit');
    child.kill(signal);
    return (await exited)[0];
  }

  /** What /readyz misses, once it is exactly this; rejects when it is not for ten seconds. */
  async untilMissing(...missing: Service[]): Promise<void> {
    let last: unknown;
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
      last = await call(this.url, 'GET', '/readyz').then(
        ({ body }) => body.missing ?? [],
        (error: unknown) => String(error),
      );
      if (JSON.stringify(last) === JSON.stringify(missing)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`/readyz misses ${JSON.stringify(last)}, not ${JSON.stringify(missing)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#children.keys(), (service) => this.stop(service, 'SIGKILL')));
    rmSync(this.#env.DATA_DIR ?? '', { recursive: true });
  }
}

/** Ports that nobody listened on a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
