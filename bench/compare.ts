import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Options } from './options.ts';
import { interruption } from './processes/child.ts';
import type { Progress } from './report/progress.ts';
import { type Row, titleOf } from './report/row.ts';
import { rounded } from './report/table.ts';
import { Bench } from './workloads/bench.ts';
import { choose } from './workloads/catalogue.ts';

const USUAL = ['pairs 20x32', 'pairs 20x1'];
const HERE = join(import.meta.dirname, '..');

/**
 * Measures this checkout and `ref` alternately, round by round in changing order, because a machine drifts more between two minutes than
 * most changes gain. The load generator and the bench are this checkout's for both; only what is measured differs. Prints for each figure
 * the median of the rounds' ratios (here to there), with the least and the greatest.
 */
export async function compare(options: Options, ref: string, progress: Progress): Promise<void> {
  using there = checkOut(ref);
  const workloads = choose(options.only.length > 0 ? options.only : USUAL, 'part', false);
  for (const store of options.stores)
    for (const workload of workloads) {
      const figures = new Map<string, { here: number[]; there: number[] }>();
      const measure = async (side: 'here' | 'there', root: string) => {
        const { sizes, through } = options;
        const onRow = (row: Row) => {
          for (const [name, value] of figuresOf(row)) {
            const both = figures.get(name) ?? { here: [], there: [] };
            both[side].push(value);
            figures.set(name, both);
          }
          progress.line(
            `${side.padEnd(6)} ${titleOf(row)}  ${row.rate === undefined ? '' : `${rounded(row.rate)}/s`}`,
          );
        };
        await workload.run(new Bench({ store, sizes, through, root, progress, onRow }));
      };
      for (let round = 0; round < options.rounds; round++) {
        interruption.signal.throwIfAborted();
        const sides = [() => measure('here', HERE), () => measure('there', there.root)];
        for (const side of round % 2 === 0 ? sides : sides.toReversed()) await side();
      }
      console.log(`\nThis checkout to ${ref}, ${options.rounds} rounds of ${options.sizes.seconds} s:`);
      for (const [name, both] of figures) console.log(lineOf(name, both.here, both.there));
    }
}

/** What is worth comparing in a row. */
function figuresOf(row: Row): [string, number][] {
  const { rate, acknowledged, delivered, figures = {} } = row;
  const named: [string, number | undefined][] = [
    ['per second', rate],
    ['acked p50', acknowledged?.p50],
    ['acked p99', acknowledged?.p99],
    ['delivered p99', delivered?.p99],
    ...Object.entries(figures),
  ];
  return named.flatMap(([name, value]) => (value === undefined ? [] : [[`${titleOf(row)}, ${name}`, value]]));
}

function lineOf(name: string, here: number[], there: number[]): string {
  const ratios = here.map((value, i) => value / (there[i] ?? Number.NaN)).sort((a, b) => a - b);
  const [least, greatest] = [ratios[0] ?? Number.NaN, ratios.at(-1) ?? Number.NaN];
  const values = `${rounded(median(here))} to ${rounded(median(there))}`;
  return `${name.padEnd(60)} ${median(ratios).toFixed(3)}  (${least.toFixed(3)} - ${greatest.toFixed(3)})  ${values}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.ceil((sorted.length - 1) / 2)],
  ];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** A worktree of its own, with our packages and our bench; removed by disposing. */
function checkOut(ref: string): Disposable & { root: string } {
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-compare-'));
  const root = join(folder, 'tree');
  git('worktree', 'add', '--detach', root, ref);
  symlinkSync(join(HERE, 'node_modules'), join(root, 'node_modules'));
  rmSync(join(root, 'bench'), { recursive: true, force: true });
  cpSync(join(HERE, 'bench'), join(root, 'bench'), { recursive: true });
  return {
    root,
    [Symbol.dispose]() {
      git('worktree', 'remove', '--force', root);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function git(...args: string[]): void {
  execFileSync('git', args, { cwd: HERE, stdio: ['ignore', 'ignore', 'inherit'] });
}
