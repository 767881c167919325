import { join } from 'node:path';
import { type Hosted, hostInWorker } from '#common/sqlite/host.ts';
import { isOfOtherEpoch } from '../epoch.ts';
import type { Arrival, MessageStore, OpenedDevice } from '../ports.ts';
import { isToBeSeen } from './devices.ts';
import type { ReaderPort } from './sqlite/reader.ts';
import type { WriterPort } from './sqlite/writer.ts';

/** The message store in one SQLite file under `folder`: a thread that commits, and one that reads beside it. */
export async function openSqliteStore(folder: string): Promise<Hosted<MessageStore>> {
  const path = join(folder, 'messages.db');
  await using opened = new AsyncDisposableStack();
  const writer = opened.use(
    await hostInWorker<WriterPort>(new URL('./sqlite/writer.ts', import.meta.url), path),
  );
  const reader = opened.use(
    await hostInWorker<ReaderPort>(new URL('./sqlite/reader.ts', import.meta.url), path),
  );
  const both = opened.move();
  const failed = Promise.race([writer.failed, reader.failed]);
  // Nobody has to listen.
  failed.catch(() => {});
  return {
    commit: writer.commit,
    saveCursors: writer.saveCursors,
    markRead: writer.markRead,
    openDevice: (user, device, arrival) => openDevice(writer, reader, user, device, arrival),
    acknowledgeJournal: writer.acknowledgeJournal,
    pruneJournal: writer.pruneJournal,
    renewEpoch: writer.renewEpoch,
    heads: reader.heads,
    newestAt: reader.newestAt,
    stateAfter: reader.stateAfter,
    marksAfter: reader.marksAfter,
    entries: reader.entries,
    entriesBefore: reader.entriesBefore,
    conversations: reader.conversations,
    unread: reader.unread,
    journal: reader.journal,
    journalEnd: reader.journalEnd,
    isBeyondJournal: reader.isBeyondJournal,
    epoch: reader.epoch,
    snapshot: reader.snapshot,
    failed,
    [Symbol.asyncDispose]: () => both.disposeAsync(),
  };
}

/** A device that comes back is read beside the commits; only a new one, and one that was not seen for long, is written. */
async function openDevice(
  writer: WriterPort,
  reader: ReaderPort,
  user: string,
  device: string,
  arrival: Arrival,
): Promise<OpenedDevice> {
  const known = await reader.device(user, device);
  if (known === undefined || isOfOtherEpoch(arrival, known.epoch)) {
    await writer.addDevice(user, device, arrival);
    return openDevice(writer, reader, user, device, { ...arrival, epoch: '' });
  }
  const { seenAt, ...opened } = known;
  if (isToBeSeen(seenAt, arrival.now)) await writer.seeDevice(user, device, arrival.now);
  return opened;
}
