import { execFileSync } from 'node:child_process';
import { compare } from './compare.ts';
import { budgetSeconds, type Options, readOptions, USAGE } from './options.ts';
import { interruption } from './processes/child.ts';
import { describeServer } from './processes/database.ts';
import { Progress } from './report/progress.ts';
import { machine, save } from './report/results.ts';
import type { Row } from './report/row.ts';
import { lineOf, tableOf } from './report/table.ts';
import { Bench, BODY_BYTES, type Store, type Workload } from './workloads/bench.ts';
import { choose } from './workloads/catalogue.ts';

/**
 * `npm run bench`, see USAGE: measures the system on this machine beside its floors, in the same run, because machines drift: what
 * counts is the ratio. A check that fails voids its figure and fails the run.
 */
const rows: Row[] = [];
const progress = new Progress();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => interruption.abort(new Error(signal)));

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.compare !== undefined) await compare(options, options.compare, progress);
  else {
    await measureAll(options);
    finish(options, await databaseOf(options.stores));
  }
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  process.exitCode = 2;
}

async function measureAll(options: Options): Promise<void> {
  const began = performance.now();
  const workloads = choose(options.only, options.kind, options.hasFloors);
  for (const [i, store] of options.stores.entries())
    for (const workload of workloads) {
      if (workload.isStoreless && i > 0) continue;
      if (interruption.signal.aborted) return;
      const isOver = performance.now() - began > budgetSeconds(options) * 1000;
      if (!isOver) await measure(workload, store, options);
      else if (options.kind === 'quick') progress.line(`${workload.name}: left out, the time is over`);
      else onRow(failed(workload, store, new Error('left out: the time is over')));
    }
}

async function measure(workload: Workload, store: Store, options: Options): Promise<void> {
  const { sizes, through } = options;
  try {
    await workload.run(new Bench({ store, sizes, through, progress, onRow }));
  } catch (error) {
    onRow(failed(workload, store, error));
  }
}

function failed(workload: Workload, store: Store, error: unknown): Row {
  const failure = error instanceof Error ? error.message : String(error);
  return { workload: workload.name, store: store.name, through: 'direct', failure };
}

function onRow(row: Row): void {
  if (row.failure !== undefined) process.exitCode = 1;
  rows.push(row);
  progress.line(lineOf(row));
}

async function databaseOf(stores: readonly Store[]): Promise<string | undefined> {
  const server = stores.find(({ url }) => url !== 'sqlite:');
  return server === undefined ? undefined : describeServer(server.url);
}

function finish({ kind, sizes: { seconds }, json }: Options, database: string | undefined): void {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  const results = { date: new Date().toISOString(), kind, commit, machine: machine(database), seconds };
  const file = save({ ...results, bodyBytes: BODY_BYTES, rows }, json);
  console.log(`\n${tableOf(rows)}\n`);
  console.log(`${seconds} s each, ${BODY_BYTES}-byte texts, per-user send rates raised, all on one machine:`);
  console.log(JSON.stringify(results.machine));
  if (kind === 'quick' || kind === 'smoke') console.log(`A ${kind} run: too short to quote.`);
  console.log(`Results: ${file}`);
}
