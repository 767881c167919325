import { invalidField } from '#common/errors.ts';

/** Every seq, revision and place that comes from outside goes through here: `least` to 2^53 - 1. @throws ServiceError INVALID_REQUEST naming `field`. */
export function wholeNumber(value: bigint, field: string, least: 0 | 1): number {
  if (value >= BigInt(least) && value <= MOST) return Number(value);
  throw invalidField(field, `must be ${least} to 2^53 - 1`);
}

/** The seq of an entry. @throws like `wholeNumber`. */
export function entrySeq(value: bigint, field: string): number {
  return wholeNumber(value, field, 1);
}

const MOST = BigInt(Number.MAX_SAFE_INTEGER);
