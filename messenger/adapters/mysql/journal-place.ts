/** A place in the journal: the batch that was read last of each node. */
export interface Place {
  /** Every node before this one was read to its end and is forgotten. */
  before: number;
  /** Nodes that are not named are at their beginning. */
  batchOf: ReadonlyMap<number, number>;
}

const PLACE = /^n([1-9]\d{0,14})((?:,[1-9]\d{0,14}:\d{1,15})*)$/;

/** As a cursor: `n7,7:120,9:3`. */
export function formatPlace({ before, batchOf }: Place): string {
  const parts = [...batchOf]
    .filter(([node, batch]) => node >= before && batch > 0)
    .sort(([a], [b]) => a - b)
    .map(([node, batch]) => `,${node}:${batch}`);
  return `n${before}${parts.join('')}`;
}

/** Undefined where the cursor is none. */
export function parsePlace(cursor: string): Place | undefined {
  const [, before, parts = ''] = PLACE.exec(cursor) ?? [];
  if (before === undefined) return undefined;
  const pairs = parts.split(',').slice(1);
  return {
    before: Number(before),
    batchOf: new Map(pairs.map((pair) => pair.split(':').map(Number) as [number, number])),
  };
}

export function reachedIn({ before, batchOf }: Place, node: number): number {
  return node < before ? Number.MAX_SAFE_INTEGER : (batchOf.get(node) ?? 0);
}
