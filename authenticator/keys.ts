import type { KeyObject } from 'node:crypto';
import type { Log } from '#common/log.ts';
import { type LoadedKey, loadKeys, versionOf } from './keys-file.ts';

const REREAD_MS = 1_000;

/** The signing keys, read from their file again when it changes. */
export class SigningKeys {
  readonly #path: string;
  readonly #clock: () => number;
  readonly #steady: () => number;
  readonly #log: Log;
  #keys: LoadedKey[];
  /** Of the file that was read; empty until the first look again. */
  #version: string;
  /** By the steady clock. */
  #lookedAt: number;

  /** `steady`: ms that only grow, see common/clocks.ts. @throws Error when the file cannot be used. */
  constructor(path: string, clock: () => number, steady: () => number, log: Log) {
    this.#path = path;
    this.#clock = clock;
    this.#steady = steady;
    this.#log = log;
    this.#lookedAt = steady();
    this.#keys = loadKeys(path);
    this.#version = '';
  }

  /** The newest key that has begun. */
  signing(): LoadedKey {
    this.#reread();
    const begun = this.#keys.filter((key) => key.nbf * 1000 <= this.#clock());
    const [first, ...others] = begun.length > 0 ? begun : this.#keys;
    if (first === undefined) throw new Error('there is no signing key');
    return others.reduce((newest, key) => (key.nbf >= newest.nbf ? key : newest), first);
  }

  publicKey(kid: string): KeyObject | undefined {
    this.#reread();
    return this.#keys.find((key) => key.kid === kid)?.publicKey;
  }

  /** RFC 7517; public members only. */
  jwks(): { keys: Record<string, unknown>[] } {
    this.#reread();
    return {
      keys: this.#keys.map(({ kid, publicKey }) => ({
        ...publicKey.export({ format: 'jwk' }),
        kid,
        alg: 'ES256',
        use: 'sig',
      })),
    };
  }

  /** A file that has become unreadable changes nothing: what was read goes on working. */
  #reread(): void {
    if (this.#steady() - this.#lookedAt < REREAD_MS) return;
    this.#lookedAt = this.#steady();
    try {
      const version = versionOf(this.#path);
      if (version === this.#version) return;
      this.#keys = loadKeys(this.#path);
      this.#version = version;
    } catch (error) {
      this.#log.error({ err: error }, 'could not read the signing keys again');
    }
  }
}
