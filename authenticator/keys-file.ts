import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto';
import { existsSync, linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '#common/data-folder.ts';

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

/** Makes the file of keys with a first one, readable by its owner only, unless it is there: of several who make it at once the first has made it. */
export function ensureKeys(path: string, now: number): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  save(path, [newKey(Math.floor(now / 1000))], linkUnlessThere);
}

/**
 * Adds a key that signs after the overlap, and drops those whose last token has expired; the new key's id.
 * @throws Error in the user's words when the file is missing, is none of keys, or cannot be written.
 */
export function rotateKeys(path: string, now: number): string {
  const seconds = Math.floor(now / 1000);
  const added = newKey(seconds + OVERLAP_S);
  const sorted = parse(path).sort((a, b) => a.nbf - b.nbf);
  const kept = sorted.filter((_, i) => (sorted[i + 1]?.nbf ?? seconds) + RETIRE_S > seconds);
  save(path, [...kept, added]);
  return added.kid;
}

/** @throws Error in the user's words when the file cannot be used; it shows nothing of what the file says. */
export function loadKeys(path: string): LoadedKey[] {
  const jwks = parse(path);
  try {
    return jwks.map((jwk) => {
      const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
      return { kid: jwk.kid, nbf: jwk.nbf, privateKey, publicKey: createPublicKey(privateKey) };
    });
  } catch (cause) {
    throw new Error(`${path} holds a signing key that is not valid`, { cause });
  }
}

/** Differs from one version of the file to the next: two written within a tick of the clock are two files all the same. */
export function versionOf(path: string): string {
  const { ino, size, mtimeMs } = statSync(path);
  return `${ino} ${size} ${mtimeMs}`;
}

function parse(path: string): Jwk[] {
  const text = read(path);
  try {
    return File.parse(JSON.parse(text)).keys;
  } catch (cause) {
    throw new Error(`${path} is not a file of signing keys`, { cause });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file; the first start makes it' : String(code);
    throw new Error(`the signing keys in ${path} cannot be read: ${why}`, { cause });
  }
}

function newKey(nbf: number): Jwk {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return Key.parse({ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), nbf });
}

/** By a rename: a reader sees the old file or the new one. */
function save(path: string, keys: Jwk[], place: (draft: string, path: string) => void = renameSync): void {
  const draft = `${path}.${randomUUID()}`;
  try {
    // Whoever may read the file now may read the next one: it may be mounted for another user.
    const mode = existsSync(path) ? statSync(path).mode & 0o777 : 0o600;
    writeFileSync(draft, JSON.stringify({ keys }, undefined, 2), { mode });
    place(draft, path);
  } catch (cause) {
    if (existsSync(draft)) rmSync(draft);
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`the signing keys in ${path} cannot be written: ${code}; nothing was changed`, { cause });
  }
}

function linkUnlessThere(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  rmSync(draft);
}

type Jwk = z.infer<typeof Key>;

export interface LoadedKey {
  kid: string;
  nbf: number;
  privateKey: KeyObject;
  publicKey: KeyObject;
}
