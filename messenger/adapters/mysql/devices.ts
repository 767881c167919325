import type { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import type { Result, Tx } from '#common/mysql/transaction.ts';
import { isOfOtherEpoch } from '../../epoch.ts';
import type { Arrival, OpenedDevice, Position } from '../../ports.ts';
import { devicesToForget, isToBeSeen } from '../devices.ts';
import { EPOCH, epochIn } from './epoch.ts';

/** The part of the message store that knows the devices of each user. */
export class MysqlDevices {
  readonly #mysql: Mysql;

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  /** A device that comes back needs no transaction: 5,000 of them are back a fifth sooner. */
  async open(user: string, device: string, arrival: Arrival): Promise<OpenedDevice> {
    const asks = [EPOCH, deviceOf(user, device), revisionOf(user), positionsOf(user, device)];
    const known = toOpened(await this.#mysql.queries(...asks));
    const isAnew = known !== undefined && isOfOtherEpoch(arrival, known.epoch);
    if (known !== undefined && !isAnew) {
      const { seenAt, ...opened } = known;
      if (isToBeSeen(seenAt, arrival.now)) await this.#mysql.query(see(user, device, arrival.now));
      return opened;
    }
    return this.#mysql.transaction(async (tx) => {
      if (isAnew) await forget(tx, user, [device]);
      await add(tx, user, device, arrival);
      const added = toOpened(await tx.run(...asks));
      if (added === undefined) throw new Error('a device that was added is not there');
      const { seenAt: _, ...opened } = added;
      return opened;
    });
  }
}

/** One whose cursors were kept before devices were has been here for ever. */
async function add(tx: Tx, user: string, device: string, arrival: Arrival): Promise<void> {
  const { now, baseAt, maxDevices, openDevices } = arrival;
  const [devices, cursors] = await tx.run(
    sql`SELECT device FROM device WHERE user = ${user} ORDER BY seen_at, device`,
    sql`SELECT 1 FROM device_cursor WHERE user = ${user} AND device = ${device} LIMIT 1`,
  );
  const names = (devices as { device: string }[]).map((row) => row.device);
  const forgotten = devicesToForget(
    names.filter((name) => name !== device),
    openDevices,
    maxDevices,
  );
  if (forgotten.length > 0) await forget(tx, user, forgotten);
  const since = cursors?.length === 1 ? 0 : baseAt;
  await tx.run(
    sql`INSERT INTO device (user, device, base_at, seen_at) VALUES ${[[user, device, since, now]]}
        ON DUPLICATE KEY UPDATE seen_at = ${now}`,
  );
}

/** With their cursors: first the device, as a batch of cursors locks it first. */
async function forget(tx: Tx, user: string, devices: string[]): Promise<void> {
  await tx.run(
    sql`DELETE FROM device WHERE user = ${user} AND device IN (${devices})`,
    sql`DELETE FROM device_cursor WHERE user = ${user} AND device IN (${devices})`,
  );
}

function deviceOf(user: string, device: string): Sql {
  return sql`SELECT base_at AS baseAt, seen_at AS seenAt FROM device WHERE user = ${user} AND device = ${device}`;
}

function revisionOf(user: string): Sql {
  return sql`SELECT revision FROM person WHERE user = ${user}`;
}

/** Every conversation of the user with the device's cursor. */
function positionsOf(user: string, device: string): Sql {
  return sql`
    SELECT c.id AS conversation, c.last_seq AS lastSeq, c.created_at AS createdAt, c.last_sent_at AS lastSentAt,
           d.seq AS \`cursor\`, COALESCE(d.marks_taken, 0) AS marksTaken, COALESCE(r.revision, 1) AS marksRevision
    FROM member m JOIN conversation c ON c.k = m.k
    LEFT JOIN device_cursor d ON d.user = m.user AND d.device = ${device} AND d.k = m.k
    LEFT JOIN conversation_marks r ON r.k = m.k
    WHERE m.user = ${user}`;
}

function see(user: string, device: string, now: number): Sql {
  return sql`UPDATE device SET seen_at = ${now} WHERE user = ${user} AND device = ${device}`;
}

/** Undefined where the device is not known. */
function toOpened([epoch, device, person, positions]: Result[]):
  | (OpenedDevice & { seenAt: number })
  | undefined {
  const known = device?.[0] as { baseAt: number; seenAt: number } | undefined;
  if (known === undefined) return undefined;
  const rows = positions as unknown[] as (Omit<Position, 'cursor'> & { cursor: number | null })[];
  return {
    ...known,
    epoch: epochIn(epoch),
    revision: (person?.[0] as { revision: number } | undefined)?.revision ?? 0,
    positions: rows.map((row) => ({ ...row, cursor: row.cursor ?? undefined })),
  };
}
