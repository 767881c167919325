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
  if (configured.length >= 32) return configured;
  if (configured !== '') reader.problem('CHATTERBOX_SERVICE_SECRET must have 32 characters or more');
  else if (reader.text('NODE_ENV', '') === 'production') {
    reader.problem('CHATTERBOX_SERVICE_SECRET must be set in production');
  } else return secretOfFolder(dataDir);
  return '';
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
