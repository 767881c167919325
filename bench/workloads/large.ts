import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { loadWorld } from '../loaders/load-world.ts';
import { countOf, type World } from '../loaders/world.ts';
import { openDatabase } from '../processes/database.ts';
import type { ServerOptions } from '../processes/server.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

/** Everybody talks with everybody: 448 people make 100,128 conversations. */
const PEOPLE = 448;
const ENTRIES_EACH = 50;
const WRITERS = 20;
const IN_FLIGHT = 32;
const SECONDS = 60;
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'chatterbox');

/**
 * Random conversations of a large table, with time-ordered and with random client ids, beside the same load on a table that holds one entry
 * for each conversation. The large table is built once and kept: a folder in the cache, or a database of the server that is named.
 */
export const LARGE: Workload = {
  name: 'large',
  isNamedOnly: true,
  async run(bench: Bench) {
    const people = names('p', bench.size(PEOPLE, 12));
    const seconds = bench.sizes.isSmoke ? bench.sizes.seconds : Math.max(SECONDS, bench.sizes.seconds);
    for (const [table, entriesEach] of [
      ['small', 1],
      ['large', bench.size(ENTRIES_EACH, 60)],
    ] as const)
      for (const ids of ['time-ordered', 'random'] as const) {
        if (table === 'small' && ids === 'random') continue;
        await using built = await build(bench, table, everybody(people, entriesEach));
        await using server = await bench.server(built.options);
        const [through = 'direct'] = bench.ways('direct');
        const params = {
          people: server.people(people, through),
          writers: Math.min(WRITERS, people.length),
          inFlight: IN_FLIGHT,
          bodyBytes: BODY_BYTES,
          hasRandomIds: ids === 'random',
          ...bench.sizes,
          seconds,
        };
        const workload = `${table} table, ${ids} ids`;
        const figures = { 'entries before': built.entries };
        const run = { load: 'crowd', params, server, extraSeconds: seconds + 120 } as const;
        await bench.measure({ workload, through, ...run, adds: () => figures });
      }
  },
};

interface Built extends AsyncDisposable {
  options: Partial<ServerOptions>;
  entries: number;
}

function everybody(people: string[], entries: number): World {
  const conversations = people.flatMap((one, i) =>
    people.slice(i + 1).map((other) => ({ members: [one, other] as const, entries })),
  );
  return { conversations, bodyBytes: BODY_BYTES };
}

async function build(bench: Bench, table: string, world: World): Promise<Built> {
  const load = (where: Parameters<typeof loadWorld>[0]) =>
    loadWorld(where, world, (count) => bench.doing(`building the ${table} table`, `${count} entries`));
  const isKept = table === 'large' && !bench.sizes.isSmoke;
  if (!isKept)
    return { options: { prepare: load }, entries: countOf(world), async [Symbol.asyncDispose]() {} };
  return bench.store.url === 'sqlite:'
    ? keptFolder(load, countOf(world))
    : keptDatabase(bench.store.url, load);
}

/** Each run works on a copy. */
async function keptFolder(load: Load, entries: number): Promise<Built> {
  const kept = join(CACHE, `bench-large-${entries}`);
  if (!existsSync(kept)) {
    // Half of a table must not pass for a whole one.
    const draft = `${kept}.${process.pid}`;
    mkdirSync(draft, { recursive: true });
    await load({ dataDir: draft, messagesUrl: 'sqlite:' });
    renameSync(draft, kept);
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  cpSync(kept, dataDir, { recursive: true });
  return {
    options: { dataDir },
    entries,
    [Symbol.asyncDispose]: async () => rmSync(dataDir, { recursive: true }),
  };
}

/** It grows from run to run. */
async function keptDatabase(server: string, load: Load): Promise<Built> {
  const [draft, kept] = ['chatterbox_bench_draft', 'chatterbox_bench_large'];
  if ((await entriesIn(server, kept)) === undefined) {
    await using building = await openDatabase(server, draft);
    await load({ dataDir: '', messagesUrl: building.url });
    await rename(server, draft, kept);
  }
  const entries = (await entriesIn(server, kept)) ?? 0;
  return { options: { database: kept }, entries, async [Symbol.asyncDispose]() {} };
}

/** Undefined where there is no such database. */
async function entriesIn(server: string, database: string): Promise<number | undefined> {
  const connection = await mysql.createConnection(server);
  const [tables] = await connection.query<mysql.RowDataPacket[]>(
    "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = 'entry'",
    [database],
  );
  const [[row]] =
    tables.length === 0
      ? [[undefined]]
      : await connection.query<mysql.RowDataPacket[]>(
          `SELECT SUM(last_seq) AS entries FROM ${database}.conversation`,
        );
  await connection.end();
  return row === undefined ? undefined : Number(row.entries);
}

/** MySQL renames tables, not databases. */
async function rename(server: string, from: string, to: string): Promise<void> {
  const connection = await mysql.createConnection(server);
  await connection.query(`CREATE DATABASE IF NOT EXISTS ${to}`);
  const [tables] = await connection.query<mysql.RowDataPacket[]>(
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?',
    [from],
  );
  const renames = tables.map(({ name }) => `${from}.${name} TO ${to}.${name}`);
  await connection.query(`RENAME TABLE ${renames.join(', ')}`);
  await connection.query(`DROP DATABASE ${from}`);
  await connection.end();
}

type Load = (where: Parameters<typeof loadWorld>[0]) => Promise<void>;
