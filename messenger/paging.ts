import { invalidField } from '#common/errors.ts';

const DEFAULT_SIZE = 50;
const LARGEST_SIZE = 100;

/** How many to return: 0 means the default, more than the largest page is cut to it. */
export function pageSize(requested: number): number {
  if (requested < 0) throw invalidField('page_size', 'must not be negative');
  return Math.min(requested || DEFAULT_SIZE, LARGEST_SIZE);
}

/** An opaque token that `readPageToken` gives back. */
export function writePageToken(place: unknown): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/**
 * The place in a page token, checked by `parse` (which returns undefined for what it does not know); undefined for no token.
 * @throws ServiceError INVALID_REQUEST for a token that is not one of ours.
 */
export function readPageToken<Place>(
  token: string,
  parse: (place: unknown) => Place | undefined,
): Place | undefined {
  if (token === '') return undefined;
  try {
    const place = parse(JSON.parse(Buffer.from(token, 'base64url').toString()));
    if (place !== undefined) return place;
  } catch {
    // Not JSON: refused like any other token that is not ours.
  }
  throw invalidField('page_token', 'is not one that this call gave');
}
