import { parseArgs } from 'node:util';
import { type Sum, Summing } from '../common/transfer/transfer.ts';
import { beginFolder, openTable, writeManifest } from './transfer/folder.ts';
import { openSources, PART_NAMES } from './transfer/parts.ts';
import { showProgress } from './transfer/progress.ts';
import { required, runTransfer } from './transfer/run.ts';

const USAGE = 'Usage: npm run export -- --to FOLDER [--from DATA_FOLDER] [--only accounts|messages|graph]';

/**
 * `npm run export -- --to FOLDER`: writes everything that is owned (accounts, messages, the graph) into a new folder, as `npm run import`
 * takes it. From the stores that the settings name, or with `--from` from a data folder; with `--only` a part of it. Chatterbox must be stopped; one that runs on the
 * data folder is noticed. A run that was cut short is begun again.
 */
await runTransfer(USAGE, async () => {
  const { values } = parseArgs({
    options: { to: { type: 'string' }, from: { type: 'string' }, only: { type: 'string' } },
  });
  const to = required('to', values.to);
  const { from, only } = values;
  const names = only === undefined ? PART_NAMES : [only];
  await using stack = new AsyncDisposableStack();
  const parts = await openSources(names, from === undefined ? process.env : folderOnly(from), stack);
  await beginFolder(to);
  const sums: Record<string, Sum> = {};
  const estimates = await Promise.all(Array.from(parts.values(), (source) => source.estimate()));
  {
    using progress = showProgress(estimates.reduce((sum, rows) => sum + rows, 0));
    for (const [part, source] of parts)
      for (const table of source.tables) {
        const name = `${part}/${table}`;
        const summing = new Summing();
        await using file = await openTable(to, name);
        for await (const rows of source.read(table)) {
          for (const row of rows) summing.add(row);
          await file.append(rows);
          progress.add(rows.length, name);
        }
        sums[name] = summing.sum;
      }
  }
  await writeManifest(to, sums);
  for (const [name, { rows }] of Object.entries(sums)) console.log(`${name.padEnd(24)} ${rows}`);
  console.log(
    `Exported to ${to}. It does not hold the signing keys and the service secret: without the same ones everybody has to log in again.`,
  );
});

/** The files of the folder, whatever servers the settings name. */
function folderOnly(folder: string) {
  const { CHATTERBOX_SERVICE_SECRET, CHATTERBOX_SERVICE_SECRET_FILE } = process.env;
  return { DATA_DIR: folder, CHATTERBOX_SERVICE_SECRET, CHATTERBOX_SERVICE_SECRET_FILE };
}
