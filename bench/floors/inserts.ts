import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import mysql from 'mysql2/promise';
import { v7 as uuidv7 } from 'uuid';
import { conversationKey } from '../../messenger/conversation-id.ts';
import { type Ground, rate } from './store.ts';

/**
 * The engine alone: rows of entries into our schema by its driver, one durable transaction for each batch, nothing looked up, no journal.
 * The schema must be there. Returns rows per second.
 */
export function insertRate(
  ground: Ground,
  batch: number,
  bodyBytes: number,
  seconds: number,
): Promise<number> {
  return ground.folder === undefined
    ? onMysql(ground.url ?? '', batch, bodyBytes, seconds)
    : onSqlite(ground.folder, batch, bodyBytes, seconds);
}

const COLUMNS = 'seq, sender, client_id, content_hash, sent_at, client_time, messages_so_far, body';
const HASH = new Uint8Array(16);
/** Of their own, so that nothing is there before. */
const KEYS = Array.from({ length: 20 }, (_, i) => conversationKey(`bare ${i} ${uuidv7()}`));

/** Grows from call to call. */
let seq = 0;

function values(
  i: number,
  body: string,
): [number, string, string, Uint8Array, number, number, number, string] {
  seq++;
  return [seq, `a${i % 20}`, uuidv7(), HASH, Date.now(), 0, seq, body];
}

async function onMysql(url: string, batch: number, bodyBytes: number, seconds: number): Promise<number> {
  const connection = await mysql.createConnection(url);
  const body = 'x'.repeat(bodyBytes);
  try {
    return await rate(batch, seconds, (from) => {
      const rows = Array.from({ length: batch }, (_, i) => {
        const [n, sender, id, hash, at, time, soFar] = values(from + i, body);
        const key = KEYS[(from + i) % 20] ?? HASH;
        return `(x'${hex(key)}',${n},'${sender}','${id}',x'${hex(hash)}',${at},${time},${soFar},'${body}')`;
      });
      return connection.query(`INSERT INTO entry (k, ${COLUMNS}) VALUES ${rows.join(',')}`);
    });
  } finally {
    await connection.end();
  }
}

async function onSqlite(folder: string, batch: number, bodyBytes: number, seconds: number): Promise<number> {
  const db = new DatabaseSync(join(folder, 'messages.db'));
  db.exec('PRAGMA synchronous = FULL');
  const insert = db.prepare(`INSERT INTO entry (key, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const body = 'x'.repeat(bodyBytes);
  try {
    return await rate(batch, seconds, (from) => {
      db.exec('BEGIN IMMEDIATE');
      for (let i = from; i < from + batch; i++) insert.run(KEYS[i % 20] ?? HASH, ...values(i, body));
      db.exec('COMMIT');
    });
  } finally {
    db.close();
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
