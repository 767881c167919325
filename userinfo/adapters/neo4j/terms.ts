/**
 * A term as the graph keeps and compares it: its UTF-8 in hexadecimal. Neo4j compares a text that it has stored with one that it was given
 * by UTF-16 units, two that it has stored by code points; this is in the order of code points either way, and keeps prefixes.
 */
export function comparable(term: string): string {
  return Buffer.from(term).toString('hex');
}
