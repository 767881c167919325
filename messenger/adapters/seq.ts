/** Whether a number can be the seq of an entry: no other is ever stored, for a database would not give it back as a number. */
export function isSeq(seq: number): boolean {
  return Number.isSafeInteger(seq) && seq > 0;
}
