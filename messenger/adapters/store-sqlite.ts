import { join } from 'node:path';
import { hostInWorker } from '#common/sqlite/host.ts';
import type { MessageStore } from '../ports.ts';
import type { ReaderPort } from './sqlite/reader.ts';
import type { WriterPort } from './sqlite/writer.ts';

/** The message store in one SQLite file under `folder`: a thread that commits, and one that reads beside it. */
export async function openSqliteStore(folder: string): Promise<MessageStore & AsyncDisposable> {
  const path = join(folder, 'messages.db');
  await using opened = new AsyncDisposableStack();
  const writer = opened.use(
    await hostInWorker<WriterPort>(new URL('./sqlite/writer.ts', import.meta.url), [path]),
  );
  const reader = opened.use(
    await hostInWorker<ReaderPort>(new URL('./sqlite/reader.ts', import.meta.url), [path]),
  );
  const both = opened.move();
  return {
    commit: writer.commit,
    saveCursors: writer.saveCursors,
    markRead: writer.markRead,
    openDevice: writer.openDevice,
    acknowledgeJournal: writer.acknowledgeJournal,
    exists: reader.exists,
    positions: reader.positions,
    entries: reader.entries,
    entriesBefore: reader.entriesBefore,
    conversations: reader.conversations,
    unread: reader.unread,
    journal: reader.journal,
    journalEnd: reader.journalEnd,
    snapshot: reader.snapshot,
    [Symbol.asyncDispose]: () => both.disposeAsync(),
  };
}
