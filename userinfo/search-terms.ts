import type { NamedPerson } from './ports.ts';

/** A letter or digit that does not continue a word. */
const WORD_START = /(?<![\p{L}\p{N}\p{M}'’])[\p{L}\p{N}]/gu;

/** A person with what a search finds them by: the username, and the display name from each of its words on. */
export function named(username: string, displayName: string): NamedPerson {
  const name = fold(displayName);
  const starts = [...name.matchAll(WORD_START)].map((match) => name.slice(match.index));
  return { username, displayName, terms: [...new Set([username, name, ...starts])] };
}

/** Text as terms and queries are compared: NFKC (full width is plain width), lower case, single spaces. */
export function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim();
}
