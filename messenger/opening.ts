import type { ConversationSummary, OpenedDevice, Position } from './ports.ts';

/** Entries from `firstSeq` to `lastSeq` that a device is not sent; history has them. */
export interface Gap {
  conversation: string;
  firstSeq: number;
  lastSeq: number;
}

export interface Opening {
  positions: Position[];
  gaps: Gap[];
}

/** More missed entries than this are not sent one by one. */
const MAX_BACKLOG = 20_000;
/** What is sent of each conversation then. */
const NEWEST_PAGE = 50;

/**
 * Where a device's session begins: after what it has acknowledged, or where it says (`overrides`). A new device begins with the
 * newest entry of each conversation in the first page of its inbox. Whatever is left out is a gap, never silence.
 */
export function planOpening(
  device: Pick<OpenedDevice, 'isNew' | 'positions'>,
  inbox: Pick<ConversationSummary, 'id'>[],
  overrides: ReadonlyMap<string, number>,
): Opening {
  const inInbox = new Set(device.isNew ? inbox.map(({ id }) => id) : []);
  const positions = device.positions.map((position) => {
    const { conversation, lastSeq } = position;
    const stored = inInbox.has(conversation) ? lastSeq - 1 : position.cursor;
    return { ...position, cursor: Math.min(overrides.get(conversation) ?? stored, lastSeq) };
  });
  const backlog = positions.reduce((sum, { lastSeq, cursor }) => sum + lastSeq - cursor, 0);
  const opening: Opening = { positions: [], gaps: [] };
  for (const position of positions) {
    const { conversation, lastSeq, cursor } = position;
    const start = backlog > MAX_BACKLOG ? Math.max(cursor, lastSeq - NEWEST_PAGE) : cursor;
    const firstUnsent = inInbox.has(conversation) && !overrides.has(conversation) ? 1 : cursor + 1;
    if (start >= firstUnsent) opening.gaps.push({ conversation, firstSeq: firstUnsent, lastSeq: start });
    opening.positions.push({ ...position, cursor: start });
  }
  return opening;
}
