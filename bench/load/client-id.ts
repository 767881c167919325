import { randomFillSync } from 'node:crypto';
import { v4, v7 } from 'uuid';

const ID_BYTES = 16;
const pool = new Uint8Array(4_096 * ID_BYTES);
let used = pool.length;

/** A time-ordered client id. */
export function orderedId(): string {
  return v7({ random: random() });
}

export function randomId(): string {
  return v4({ random: random() });
}

/** Fetched for thousands of ids at once: for 16, as the package does it, was the greatest single cost of the load generator. */
function random(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.subarray(used - ID_BYTES, used);
}
