import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ServiceError } from '../errors.ts';

const Jwks = z.object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.literal('EC') })) });

const REFRESH_MS = 5 * 60_000;
const UNKNOWN_KEY_PAUSE_MS = 1_000;
/** Services start together: who is asked before the authenticator has come waits so long for it. */
const PATIENCE_MS = 2_000;
const AGAIN_MS = 100;

/**
 * The authenticator's public keys (RFC 7517), fetched when first needed and kept: a verified key goes on working while the
 * authenticator is down. An unknown key id fetches again, at most once a second.
 */
export class RemoteKeySet {
  readonly #url: string;
  #keys = new Map<string, KeyObject>();
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  get isLoaded(): boolean {
    return this.#keys.size > 0;
  }

  /** @throws ServiceError UNAUTHENTICATED for a key that is not ours, UNAVAILABLE when none could be fetched for seconds. */
  async get(kid: string): Promise<KeyObject> {
    const age = performance.now() - this.#fetchedAt;
    const isUnknown = !this.#keys.has(kid);
    if (age > REFRESH_MS || (isUnknown && age > UNKNOWN_KEY_PAUSE_MS)) this.load().catch(() => {});
    // Not only the fetch that this call began: one that is under way may bring the key.
    if (isUnknown) await this.#fetching?.catch(() => {});
    if (!this.isLoaded) await this.#loadSoon();
    if (!this.isLoaded) throw new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000 });
    const key = this.#keys.get(kid);
    if (key === undefined) throw new ServiceError('UNAUTHENTICATED');
    return key;
  }

  /** Fetches the keys now; one fetch at a time. */
  load(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #loadSoon(): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    while (!this.isLoaded && performance.now() < until) {
      await this.load().catch(() => {});
      if (!this.isLoaded) await delay(AGAIN_MS);
    }
  }

  async #fetch(): Promise<void> {
    this.#fetchedAt = performance.now();
    const response = await fetch(this.#url, { signal: AbortSignal.timeout(3_000) });
    const { keys } = Jwks.parse(await response.json());
    this.#keys = new Map(
      keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })]),
    );
  }
}
