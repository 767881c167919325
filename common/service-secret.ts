import { randomBytes, timingSafeEqual } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigReader } from './config.ts';
import { makeFolder } from './data-folder.ts';
import { ServiceError } from './errors.ts';

/** The header (HTTP) or metadata key (gRPC) that carries the service credential. */
export const SERVICE_CREDENTIAL = 'chatterbox-service';

/**
 * What services present to each other: configured, or, outside production, made once and kept in the data
 * folder, where the services of one machine find it.
 */
export function readServiceSecret(reader: ConfigReader, dataDir: string): string {
  const configured = reader.text('CHATTERBOX_SERVICE_SECRET', '');
  if (configured.length >= 32 && !isGuessable(configured)) return configured;
  if (configured.length >= 32)
    reader.problem(
      'CHATTERBOX_SERVICE_SECRET is easy to guess: take random characters (openssl rand -hex 32)',
    );
  else if (configured !== '') reader.problem('CHATTERBOX_SERVICE_SECRET must have 32 characters or more');
  else if (reader.text('NODE_ENV', '') === 'production') {
    reader.problem('CHATTERBOX_SERVICE_SECRET must be set in production');
  } else return secretOfFolder(dataDir);
  return '';
}

/**
 * Bits that the characters of a secret have to carry: a random one of 32 hexadecimal digits has about 110.
 */
const LEAST_BITS = 90;

/** One text again and again, or few different characters: 32 equal letters are long, and no secret. */
function isGuessable(secret: string): boolean {
  const isRepeated = `${secret}${secret}`.indexOf(secret, 1) < secret.length;
  return isRepeated || secret.length * entropyOf(secret) < LEAST_BITS;
}

/** Bits for each character, by how often each occurs (Shannon). */
function entropyOf(text: string): number {
  const counts = Map.groupBy(text, (character) => character).values();
  return [...counts]
    .map(({ length }) => length / text.length)
    .reduce((bits, share) => bits - share * Math.log2(share), 0);
}

/** Whether `presented` is the secret; compares in constant time. */
export function isServiceSecret(presented: unknown, secret: string): boolean {
  if (typeof presented !== 'string') return false;
  const given = Buffer.from(presented);
  const wanted = Buffer.from(secret);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** @throws ServiceError NOT_PERMITTED unless `presented` is the secret. */
export function requireServiceSecret(presented: unknown, secret: string): void {
  if (!isServiceSecret(presented, secret)) throw new ServiceError('NOT_PERMITTED');
}

/** Several services may start at once: the first link wins, and everybody reads what it made. */
function secretOfFolder(dataDir: string): string {
  makeFolder(dataDir);
  const path = join(dataDir, 'service-secret');
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, randomBytes(32).toString('base64url'), { mode: 0o600 });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  return readFileSync(path, 'utf8');
}
