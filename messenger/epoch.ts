import type { Arrival, MessageStore } from './ports.ts';

/** What is asked of the store to find out whether a reader's place still holds. */
export type EpochStore = Pick<MessageStore, 'epoch' | 'renewEpoch' | 'isBeyondJournal'>;

/** A place in the journal and the epoch that it belongs to. */
export interface EpochPlace {
  epoch: string;
  place: string;
}

/** Where a reader goes on; without a place it begins anew. */
export interface Resumed {
  epoch: string;
  place: string | undefined;
}

/** Whether a device knows another epoch than the log's: then it is new. */
export function isOfOtherEpoch(device: Pick<Arrival, 'epoch'>, epoch: string): boolean {
  return device.epoch !== '' && device.epoch !== epoch;
}

const CURSOR = /^([\x21-\x2d\x2f-\x7e]{1,64})\.(.*)$/;

/** As a reader keeps it: `EPOCH.PLACE`. */
export function formatCursor({ epoch, place }: EpochPlace): string {
  return `${epoch}.${place}`;
}

/**
 * Where a reader that stopped at `cursor` goes on. A place beyond the end of the journal is a witness that
 * the log has lost what followed, as after a restore: it ends the present epoch, and `onRenewed` hears of it.
 * A cursor of an earlier version names no epoch and counts as one of the present.
 */
export async function resumeAt(
  cursor: string,
  store: EpochStore,
  onRenewed: () => void = () => {},
): Promise<Resumed> {
  const epoch = await store.epoch();
  const { epoch: itsEpoch, place } = parseCursor(cursor) ?? { epoch, place: cursor };
  if (itsEpoch !== epoch) return { epoch, place: undefined };
  if (!(await store.isBeyondJournal(place))) return { epoch, place };
  const renewed = await store.renewEpoch(epoch);
  onRenewed();
  return { epoch: renewed, place: undefined };
}

/** Undefined for a cursor that names no epoch. */
export function parseCursor(cursor: string): EpochPlace | undefined {
  const [, epoch, place] = CURSOR.exec(cursor) ?? [];
  return epoch === undefined || place === undefined ? undefined : { epoch, place };
}
