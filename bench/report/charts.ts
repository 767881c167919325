import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Results } from './results.ts';
import type { Row } from './row.ts';

export interface Chart {
  title: string;
  /** Its name in the folder. */
  file: string;
}

/** Draws what the rows have figures for, as SVG. */
export async function drawCharts({ rows }: Pick<Results, 'rows'>, folder: string): Promise<Chart[]> {
  mkdirSync(folder, { recursive: true });
  const drawn: Chart[] = [];
  for (const { file, title, values, unit } of chartsOf(rows)) {
    if (values.length === 0) continue;
    const { spec } = compile(bars(title, unit, values));
    const view = new vega.View(vega.parse(spec), { renderer: 'none' });
    writeFileSync(join(folder, file), `${await view.toSVG()}\n`);
    view.finalize();
    drawn.push({ title, file });
  }
  return drawn;
}

interface Bar {
  what: string;
  series: string;
  value: number;
}

interface Drawing extends Chart {
  unit: string;
  values: Bar[];
}

function chartsOf(rows: readonly Row[]): Drawing[] {
  const pairs = rows.filter(
    ({ workload }) => /^(pairs|both|streams|unary)/.test(workload) && !/messenger/.test(workload),
  );
  return [
    {
      file: 'throughput.svg',
      title: 'Messages acknowledged and delivered, per second',
      unit: 'per second',
      values: bar(pairs, ({ rate }) => rate),
    },
    {
      file: 'latency.svg',
      title: 'From send to acknowledgement, p99',
      unit: 'ms',
      values: bar(
        pairs.filter(({ through }) => through !== 'floor'),
        ({ acknowledged }) => acknowledged?.p99,
      ),
    },
    {
      file: 'store.svg',
      title: 'The stores without a transport, rows per second',
      unit: 'per second',
      values: rows
        .filter(({ workload }) => workload.startsWith('store, '))
        .map(({ workload, store, rate = 0 }) => {
          const [, kind = '', batch = ''] = workload.split(', ');
          return { what: batch, series: `${store}, ${kind}`, value: rate };
        }),
    },
    {
      file: 'nodes.svg',
      title: 'One node and two on the same machine, messages per second',
      unit: 'per second',
      values: bar(
        rows.filter(({ workload }) => /messenger/.test(workload)),
        ({ rate }) => rate,
      ),
    },
  ];
}

function bar(rows: readonly Row[], measure: (row: Row) => number | undefined): Bar[] {
  return rows.flatMap((row) => {
    const value = measure(row);
    if (value === undefined || row.failure !== undefined) return [];
    const series = row.through === 'floor' ? 'floor' : `${row.store}, ${row.through}`;
    return [{ what: row.workload, series, value }];
  });
}

function bars(title: string, unit: string, values: Bar[]): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title,
    background: 'white',
    width: 560,
    data: { values },
    mark: 'bar',
    encoding: {
      y: { field: 'what', type: 'nominal', title: null, sort: null, axis: { labelLimit: 300 } },
      yOffset: { field: 'series', type: 'nominal', sort: null },
      x: { field: 'value', type: 'quantitative', title: unit },
      color: { field: 'series', type: 'nominal', title: null, sort: null },
    },
  };
}
