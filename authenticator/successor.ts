import { aheadBy } from '#common/clocks.ts';
import type { Rotation } from './ports.ts';

/**
 * The head of a session after a refresh token was presented: the rule of `AccountStore.rotate`, for every
 * store. The same generation where the answer of the refresh before is given again; undefined where the
 * session is to end.
 */
export function successor(head: Head, rotation: Rotation): Successor | undefined {
  const { generation, tokenHash, successorHash, replacementHash, now, graceMs, forgiveEveryMs } = rotation;
  const { forgivenAt } = head;
  if (generation === head.generation && tokenHash === head.tokenHash)
    return { generation: generation + 1, tokenHash: successorHash, forgivenAt };
  if (generation >= head.generation || tokenHash !== head.previousHash) return undefined;
  if (aheadBy(now, head.usedAt) <= graceMs) return head;
  // The head is its successor, which was never used: else the head would be a later one.
  const isNext = generation === head.generation - 1;
  if (!isNext || aheadBy(now, forgivenAt) < forgiveEveryMs) return undefined;
  return { generation: generation + 2, tokenHash: replacementHash, forgivenAt: now };
}

/** What a store keeps of the refresh tokens of a session. */
export interface Head {
  generation: number;
  tokenHash: string;
  previousHash: string;
  /** When the head was given first, ms. */
  usedAt: number;
  forgivenAt: number;
}

type Successor = Pick<Head, 'generation' | 'tokenHash' | 'forgivenAt'>;
