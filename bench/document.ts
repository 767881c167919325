import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capacityTable } from './capacity/table.ts';
import { drawCharts } from './report/charts.ts';
import { figuresList, goalsTable, machineLine, rowsTable } from './report/markdown.ts';
import { RESULTS, type Results } from './report/results.ts';
import type { Row } from './report/row.ts';
import { titleOf } from './report/row.ts';

/**
 * `npm run bench:docs [-- FILE...]`: writes the measured parts of docs/performance.md, and the charts, from results; without files from
 * every full or part run in bench/results, of which the newest says what it measured. What stands between the markers is replaced.
 */
const PAGE = join(import.meta.dirname, '../docs/performance.md');
const CHARTS = join(import.meta.dirname, '../docs/charts');

const files = process.argv.slice(2);
const results = merge(files.length > 0 ? files.map(read) : quotable());
if (results === undefined) console.log('There are no results of a full run yet; nothing is changed.');
else {
  const charts = await drawCharts(results, CHARTS);
  const parts: Record<string, string> = {
    machine: machineLine(results),
    goals: goalsTable(results),
    everything: `${rowsTable(results)}\n\n${figuresList(results)}`,
    charts: charts.map(({ title, file }) => `![${title}](charts/${file})`).join('\n'),
    capacity: capacityTable(results),
  };
  let page = readFileSync(PAGE, 'utf8');
  for (const [name, text] of Object.entries(parts)) page = replaced(page, name, text);
  writeFileSync(PAGE, page);
  console.log(`Written: docs/performance.md and ${charts.length} charts.`);
}

function read(path: string): Results {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function quotable(): Results[] {
  return readdirSync(RESULTS)
    .filter((name) => /-(full|part.*)\.json$/.test(name))
    .map((name) => read(join(RESULTS, name)));
}

/** Rows of the newer ones stand for those of the older ones. */
function merge(all: Results[]): Results | undefined {
  const inOrder = all.toSorted((a, b) => (a.date < b.date ? -1 : 1));
  const newest = inOrder.findLast(({ kind }) => kind === 'full') ?? inOrder.at(-1);
  if (newest === undefined) return undefined;
  const rows = new Map<string, Row>();
  for (const { rows: some } of inOrder) for (const row of some) rows.set(titleOf(row), row);
  return { ...newest, rows: [...rows.values()] };
}

/** @throws Error when the page has no such place. */
function replaced(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no ${begin} ... ${end}`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}
