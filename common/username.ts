import { invalidField } from './errors.ts';

/** The longest username, in characters, all of them ASCII. */
export const MAX_USERNAME = 64;

const PATTERN = new RegExp(`^[a-z0-9][a-z0-9._-]{0,${MAX_USERNAME - 1}}$`);

/**
 * A username as everybody writes it: NFKC, lower case, without the double quotes that the first app wraps
 * names in, and without the blanks around it that keyboards of phones add.
 * @throws ServiceError INVALID_REQUEST naming `field` when that is not a username.
 */
export function canonicalUsername(raw: string, field: string): string {
  // As most come.
  if (PATTERN.test(raw)) return raw;
  const name = raw.replaceAll('"', '').normalize('NFKC').trim().toLowerCase();
  if (!PATTERN.test(name)) {
    throw invalidField(
      field,
      `must be 1 to ${MAX_USERNAME} of a-z, 0-9, dot, dash and underscore, and begin with a letter or digit`,
    );
  }
  return name;
}
