import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import type { Authentication } from '#common/identity/authentication.ts';

const FRESH_MS = 1_000;
const TIMEOUT_MS = 1_000;

export interface Targets {
  authUrl: string;
  userinfoUrl: string;
  messenger: string;
}

/** Whether the services behind us answer. Asked at most once a second, however often we are. */
export class Readiness implements Disposable {
  readonly #authentication: Authentication;
  readonly #checks: Record<string, () => Promise<void>>;
  readonly #health;
  #missing: string[] = [];
  #checkedAt = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | undefined;

  constructor({ authUrl, userinfoUrl, messenger }: Targets, authentication: Authentication) {
    this.#authentication = authentication;
    const Health = makeGenericClientConstructor(service, 'Health');
    this.#health = new Health(messenger, credentials.createInsecure());
    this.#checks = {
      authenticator: () => answers(`${authUrl}/healthz`),
      userinfo: () => answers(`${userinfoUrl}/healthz`),
      messenger: () => this.#serves(),
    };
  }

  /** The names of the services that do not answer, as of the last refresh. */
  missing(): string[] {
    return [...new Set([...this.#authentication.missing(), ...this.#missing])];
  }

  async refresh(): Promise<void> {
    if (performance.now() - this.#checkedAt < FRESH_MS) return;
    this.#checking ??= this.#checkAll().finally(() => {
      this.#checking = undefined;
    });
    await this.#checking;
  }

  async #checkAll(): Promise<void> {
    const names = Object.keys(this.#checks);
    const results = await Promise.allSettled(Object.values(this.#checks).map((check) => check()));
    this.#missing = names.filter((_, i) => results[i]?.status === 'rejected');
    this.#checkedAt = performance.now();
  }

  #serves(): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      this.#health.check?.(
        { service: '' },
        { deadline },
        (error: unknown, answer?: { status?: string | number }) => {
          const isServing = answer?.status === 'SERVING' || answer?.status === 1;
          if (error === null && isServing) resolve();
          else reject(error ?? new Error('not serving'));
        },
      );
    });
  }

  [Symbol.dispose](): void {
    this.#health.close();
  }
}

async function answers(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
}
