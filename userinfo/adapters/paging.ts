import type { Listed } from '../ports.ts';

/** A page from rows of which one more than `limit` was asked for; `key` of its last row is where the next page begins. */
export function listed<Row>(rows: Row[], limit: number, key: (row: Row) => Key): Listed<Row> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: last !== undefined && rows.length > limit ? JSON.stringify(key(last)) : '' };
}

/** The key that the page before ended with, or `start`. */
export function position<K extends Key>(after: string, start: [...K]): [...K] {
  return after === '' ? start : (JSON.parse(after) as [...K]);
}

type Key = (string | number)[];
