import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Log } from '#common/log.ts';

/** A private JWK; `nbf` (seconds since the epoch) is when it begins to sign. */
const Key = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  kid: z.string().min(1).max(128),
  nbf: z.number(),
});
const File = z.object({ keys: z.array(Key).min(1) });

/** Published this long before it signs, so that every authenticator of a cluster has read it by then. */
const OVERLAP_S = 60;
/** The longest token lives 30 days: a key stays published that long, and a day, after its successor took over. */
const RETIRE_S = 31 * 86_400;
const REREAD_MS = 1_000;

/** The signing keys, read from their file again when it changes. */
export class SigningKeys {
  readonly #path: string;
  readonly #clock: () => number;
  readonly #log: Log;
  #keys: LoadedKey[];
  #changedAt: number;
  #lookedAt: number;

  /** @throws Error when the file cannot be used. */
  constructor(path: string, clock: () => number, log: Log) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#changedAt = statSync(path).mtimeMs;
    this.#lookedAt = clock();
    this.#keys = load(path);
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
    if (Math.abs(this.#clock() - this.#lookedAt) < REREAD_MS) return;
    this.#lookedAt = this.#clock();
    try {
      const { mtimeMs } = statSync(this.#path);
      if (mtimeMs === this.#changedAt) return;
      this.#keys = load(this.#path);
      this.#changedAt = mtimeMs;
    } catch (error) {
      this.#log.error({ err: error }, 'could not read the signing keys again');
    }
  }
}

/** Makes the file of keys with a first one, readable by its owner only, unless it is there. */
export function ensureKeys(path: string, now: number): void {
  if (!existsSync(path)) save(path, [newKey(Math.floor(now / 1000))]);
}

/** Adds a key that signs after the overlap, and drops those whose last token has expired; the new key's id. */
export function rotateKeys(path: string, now: number): string {
  const seconds = Math.floor(now / 1000);
  const added = newKey(seconds + OVERLAP_S);
  const sorted = File.parse(JSON.parse(readFileSync(path, 'utf8'))).keys.sort((a, b) => a.nbf - b.nbf);
  const kept = sorted.filter((_, i) => (sorted[i + 1]?.nbf ?? seconds) + RETIRE_S > seconds);
  save(path, [...kept, added]);
  return added.kid;
}

function load(path: string): LoadedKey[] {
  try {
    const { keys } = File.parse(JSON.parse(readFileSync(path, 'utf8')));
    return keys.map((jwk) => {
      const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
      return { kid: jwk.kid, nbf: jwk.nbf, privateKey, publicKey: createPublicKey(privateKey) };
    });
  } catch (cause) {
    throw new Error(`${path} is not a file of signing keys`, { cause });
  }
}

function newKey(nbf: number): z.infer<typeof Key> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return Key.parse({ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), nbf });
}

/** By a rename: a reader sees the old file or the new one. */
function save(path: string, keys: z.infer<typeof Key>[]): void {
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, JSON.stringify({ keys }, undefined, 2), { mode: 0o600 });
  renameSync(draft, path);
}

export interface LoadedKey {
  kid: string;
  nbf: number;
  privateKey: KeyObject;
  publicKey: KeyObject;
}
