import type { Authentication } from '#common/identity/authentication.ts';
import type { Nodes } from './nodes/nodes.ts';

const FRESH_MS = 1_000;
const TIMEOUT_MS = 1_000;

export interface Targets {
  authUrl: string;
  userinfoUrl: string;
}

/** Whether the services behind us answer. Asked at most once a second, however often we are. */
export class Readiness {
  readonly #authentication: Authentication;
  readonly #nodes: Nodes;
  readonly #checks: Record<string, () => Promise<void>>;
  #missing: string[] = [];
  #checkedAt = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | undefined;

  constructor({ authUrl, userinfoUrl }: Targets, authentication: Authentication, nodes: Nodes) {
    this.#authentication = authentication;
    this.#nodes = nodes;
    this.#checks = {
      authenticator: () => answers(`${authUrl}/healthz`),
      userinfo: () => answers(`${userinfoUrl}/healthz`),
    };
  }

  /** The names of the services that do not answer, as of the last refresh. */
  missing(): string[] {
    const messenger = this.#nodes.areServing ? [] : ['messenger'];
    return [...new Set([...this.#authentication.missing(), ...this.#missing, ...messenger])];
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
}

async function answers(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
}
