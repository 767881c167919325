import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { loadWorld } from '../loaders/load-world.ts';
import { openDatabase } from '../processes/database.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

const READY_WITHIN_MS = 30_000;

/** From the start of the process until /readyz says so; the best of three, since what else the machine does only adds. */
export const START_UP: Workload = {
  name: 'start-up',
  async run(bench: Bench) {
    const times = bench.size(3, 1);
    const empty: number[] = [];
    for (let i = 0; i < times; i++) {
      await using server = await bench.server();
      empty.push(server.readyMs + (await untilReady(server.url)));
    }
    const row = { workload: 'start-up', store: bench.store.name, through: 'gateway' } as const;
    const entries = bench.size(1_000_000, 10_000);
    const { taken, bytes } = await withEntries(bench, times, entries);
    bench.record({
      ...row,
      figures: {
        'empty, ms': Math.min(...empty),
        [`with ${entries} entries, ms`]: Math.min(...taken),
        'bytes on disk per entry': bytes / entries,
      },
    });
  },
};

async function withEntries(bench: Bench, times: number, entries: number): Promise<Filled> {
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  const isFile = bench.store.url === 'sqlite:';
  await using database = isFile ? undefined : await openDatabase(bench.store.url);
  const conversations = names('f', entries / 100).map((friend) => {
    return { members: ['ada', friend] as const, entries: 100 };
  });
  const where = { dataDir, messagesUrl: database?.url ?? 'sqlite:' };
  await loadWorld(where, { conversations, bodyBytes: BODY_BYTES }, (count) =>
    bench.doing('loading', `${count} entries`),
  );
  const bytes = database === undefined ? sizeOf(dataDir) : await sizeOfDatabase(database.url);
  const name = database === undefined ? {} : { database: new URL(database.url).pathname.slice(1) };
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    await using server = await bench.server({ dataDir, ...name });
    taken.push(server.readyMs + (await untilReady(server.url)));
  }
  rmSync(dataDir, { recursive: true });
  return { taken, bytes };
}

/** Returns after how many ms. */
async function untilReady(url: string): Promise<number> {
  const began = performance.now();
  for (; performance.now() - began < READY_WITHIN_MS; await delay(5))
    if ((await fetch(`${url}/readyz`)).ok) return performance.now() - began;
  throw new Error('it did not get ready');
}

function sizeOf(dataDir: string): number {
  return globSync(`${dataDir}/messenger/messages.db*`).reduce((sum, file) => sum + statSync(file).size, 0);
}

/** Its files, as the server counts them: indexes too. */
async function sizeOfDatabase(url: string): Promise<number> {
  const connection = await mysql.createConnection(url);
  await connection.query('ANALYZE TABLE entry, conversation, member');
  const [[row]] = await connection.query<mysql.RowDataPacket[]>(
    'SELECT SUM(data_length + index_length) AS bytes FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  await connection.end();
  return Number(row?.bytes);
}

interface Filled {
  /** Until it was ready, ms, each time. */
  taken: number[];
  /** On disk. */
  bytes: number;
}
