import { randomBytes } from 'node:crypto';

/** An epoch that no log had before: 32 hexadecimal digits. */
export function newEpoch(): string {
  return randomBytes(16).toString('hex');
}
