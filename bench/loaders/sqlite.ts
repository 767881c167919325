import { join } from 'node:path';
import { makeFolder } from '../../common/data-folder.ts';
import { openSqlite } from '../../common/sqlite/open.ts';
import { MIGRATIONS } from '../../messenger/adapters/sqlite/schema.ts';
import { conversationsOf, entriesOf, PHONE, type World } from './world.ts';

const PER_TRANSACTION = 200_000;

export function loadIntoSqlite(dataDir: string, world: World, onProgress: (entries: number) => void): void {
  const folder = join(dataDir, 'messenger');
  makeFolder(folder);
  const db = openSqlite(join(folder, 'messages.db'), MIGRATIONS);
  // Until it is closed: a load that breaks off is begun anew.
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN');
  const conversation = db.prepare('INSERT INTO conversation VALUES (?, ?, ?, ?, ?, ?, ?)');
  const member = db.prepare('INSERT INTO member (user, key) VALUES (?, ?)');
  const entry = db.prepare(
    `INSERT INTO entry (key, seq, sender, client_id, content_hash, sent_at, client_time, messages_so_far, body)
     VALUES (?, ?, ?, ?, zeroblob(16), ?, 0, ?, ?)`,
  );
  const device = db.prepare('INSERT INTO device (user, device) VALUES (?, ?)');
  const body = 'x'.repeat(world.bodyBytes);
  let count = 0;
  for (const one of conversationsOf(world)) {
    const { key, id, members, lastSeq, sentAt } = one;
    conversation.run(key, id, JSON.stringify(members.toSorted()), lastSeq, lastSeq, sentAt, sentAt);
    for (const user of members) member.run(user, key);
    for (const { seq, sender, clientId } of entriesOf(one)) {
      entry.run(key, seq, sender, clientId, sentAt, seq, body);
      if (++count % PER_TRANSACTION > 0) continue;
      db.exec('COMMIT; BEGIN');
      onProgress(count);
    }
  }
  for (const user of world.phones ?? []) device.run(user, PHONE);
  db.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}
