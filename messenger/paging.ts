import { invalidField } from '#common/errors.ts';
import type { MessageStore } from './ports.ts';

const DEFAULT_SIZE = 50;
const LARGEST_SIZE = 100;

/** How many to return: 0 means the default, more than the largest page is cut to it. */
export function pageSize(requested: number): number {
  if (requested < 0) throw invalidField('page_size', 'must not be negative');
  return Math.min(requested || DEFAULT_SIZE, LARGEST_SIZE);
}

/** An opaque token that `readPageToken` gives back, as long as the log has this epoch. */
export function writePageToken(epoch: string, place: object): string {
  return Buffer.from(JSON.stringify({ ...place, epoch })).toString('base64url');
}

/**
 * The place in a page token, checked by `parse` (which returns undefined for what it does not know);
 * undefined for no token. A token of an earlier version names no epoch.
 * @throws ServiceError INVALID_REQUEST for a token that is not one of ours, or is of another epoch than the
 * log's.
 */
export async function readPageToken<Place>(
  token: string,
  store: Pick<MessageStore, 'epoch'>,
  parse: (place: unknown) => Place | undefined,
): Promise<Place | undefined> {
  if (token === '') return undefined;
  const { epoch, ...rest } = read(token);
  const place = parse(rest);
  if (place === undefined) throw invalidField('page_token', 'is not one that this call gave');
  if (epoch !== undefined && epoch !== (await store.epoch()))
    throw invalidField('page_token', 'is of an earlier epoch of the log; begin with the first page');
  return place;
}

/** What is not JSON is an empty place, which no call takes. */
function read(token: string): Record<string, unknown> {
  try {
    return { ...(JSON.parse(Buffer.from(token, 'base64url').toString()) as object) };
  } catch {
    return {};
  }
}
