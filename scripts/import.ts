import { parseArgs } from 'node:util';
import { type Sum, Summing, type Target } from '../common/transfer/transfer.ts';
import { type Manifest, readManifest, readTable } from './transfer/folder.ts';
import { openTargets } from './transfer/parts.ts';
import { type Progress, showProgress } from './transfer/progress.ts';
import { required, runTransfer } from './transfer/run.ts';

const USAGE = 'Usage: npm run import -- --from FOLDER';

/** What one transaction takes. */
const BATCH = { rows: 500, text: 1024 * 1024 };

/**
 * `npm run import -- --from FOLDER`: brings an export into the MySQL and Neo4j that the settings name, as far as it has a part for them; they must be empty. It then
 * reads everything back and compares it. Cut short at any place it goes on there when it is run again. No service may run on the stores.
 */
await runTransfer(USAGE, async () => {
  const { values } = parseArgs({ options: { from: { type: 'string' } } });
  const from = required('from', values.from);
  const manifest = await readManifest(from);
  await using stack = new AsyncDisposableStack();
  const names = new Set(Object.keys(manifest.tables).map((name) => name.split('/')[0] ?? ''));
  const parts = await openTargets([...names], process.env, stack);
  // All of them before the first row: a store that is in use is found before anything was written.
  const begun = [];
  for (const [part, target] of parts) begun.push({ part, target, ...(await target.begin(manifest.id)) });
  const wrong: string[] = [];
  {
    using progress = showProgress(2 * rowsOf(manifest));
    for (const { part, target, isFinished, done } of begun) {
      if (isFinished) continue;
      for (const table of target.tables) {
        const name = `${part}/${table}`;
        const expected = manifest.tables[name];
        // An earlier version had no such table.
        if (expected === undefined) continue;
        const columns = await write(from, name, { target, table, done: done.get(table) ?? 0 }, progress);
        const sum = await readBack(target, table, columns, progress);
        if (sum.rows !== expected.rows || sum.checksum !== expected.checksum)
          wrong.push(`${name}: ${describe(sum)} instead of ${describe(expected)}`);
      }
      if (wrong.length === 0) await target.finish();
    }
  }
  if (wrong.length > 0) throw new Error(`What was read back is not what was exported:\n${wrong.join('\n')}`);
  for (const [name, { rows, checksum }] of Object.entries(manifest.tables))
    console.log(`${name.padEnd(24)} ${rows} rows, ${checksum}`);
  console.log(
    begun.every(({ isFinished }) => isFinished)
      ? 'It had been imported completely before; nothing was done.'
      : 'Imported, read back and compared.',
  );
});

/** Fulfils with the columns that the export has: those of an earlier version may be fewer. */
async function write(
  folder: string,
  name: string,
  { target, table, done }: { target: Target; table: string; done: number },
  progress: Progress,
): Promise<string[]> {
  progress.add(done, name);
  const columns = await columnsOf(folder, name);
  let written = done;
  for await (const rows of readTable(folder, name, done, BATCH)) {
    written += rows.length;
    await target.write(table, rows, written);
    progress.add(rows.length, `writing ${name}`);
  }
  return columns;
}

async function columnsOf(folder: string, name: string): Promise<string[]> {
  for await (const [row] of readTable(folder, name, 0, { rows: 1, text: 1 })) return Object.keys(row ?? {});
  return [];
}

async function readBack(target: Target, table: string, columns: string[], progress: Progress): Promise<Sum> {
  const summing = new Summing();
  for await (const rows of target.read(table)) {
    for (const row of rows) summing.add(Object.fromEntries(columns.map((name) => [name, row[name] ?? ''])));
    progress.add(rows.length, `comparing ${table}`);
  }
  return summing.sum;
}

function rowsOf({ tables }: Manifest): number {
  return Object.values(tables).reduce((sum, { rows }) => sum + rows, 0);
}

function describe(sum: Sum | undefined): string {
  return sum === undefined ? 'nothing' : `${sum.rows} rows with ${sum.checksum}`;
}
