import type { Percentiles } from '../load/samples.ts';
import { type Row, titleOf } from './row.ts';

/** One row as a line of a terminal. */
export function lineOf(row: Row): string {
  const { rate, acknowledged, delivered, figures = {}, cpu = {}, rssMb = {}, lagP99Ms, failure } = row;
  const parts = [
    titleOf(row).padEnd(40),
    (rate === undefined ? '' : `${whole(rate)}/s`).padStart(11),
    acknowledged ? `acked ${ms(acknowledged)}` : '',
    delivered ? `delivered ${ms(delivered)}` : '',
    list('cores', cpu, (cores) => cores.toFixed(2)),
    list('MB', rssMb, (mb) => whole(mb)),
    lagP99Ms === undefined ? '' : `lag p99 ${lagP99Ms.toFixed(1)} ms`,
    ...Object.entries(figures).map(([name, value]) => `${name}: ${rounded(value)}`),
    failure === undefined ? '' : `FAILED: ${failure.split('\n')[0]}`,
  ];
  return parts.filter((part) => part !== '').join('  ');
}

/** Everything that was measured, as columns. */
export function tableOf(rows: readonly Row[]): string {
  const head = [
    '',
    'per second',
    'acked p50',
    'p99',
    'delivered p50',
    'p99',
    'cores: server',
    'client',
    'database',
    'MB: server',
    'lag p99',
  ];
  const body = rows.map((row) => [
    titleOf(row),
    row.rate === undefined ? '' : whole(row.rate),
    ...two(row.acknowledged),
    ...two(row.delivered),
    ...['server', 'client', 'database'].map((name) => row.cpu?.[name]?.toFixed(2) ?? ''),
    row.rssMb?.server === undefined ? '' : whole(row.rssMb.server),
    row.lagP99Ms?.toFixed(1) ?? '',
  ]);
  const widths = head.map((_, i) => Math.max(...[head, ...body].map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ');
  return [head, ...body].map(line).join('\n');
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Three figures are what such a measurement is good for. */
export function rounded(value: number): string {
  return Math.abs(value) >= 100 ? whole(value) : Number(value.toPrecision(3)).toString();
}

function ms({ p50, p99 }: Percentiles): string {
  return `${p50.toFixed(2)} / ${p99.toFixed(2)} ms`;
}

function two(percentiles: Percentiles | undefined): [string, string] {
  return percentiles === undefined ? ['', ''] : [percentiles.p50.toFixed(2), percentiles.p99.toFixed(2)];
}

function list(unit: string, values: Record<string, number>, show: (value: number) => string): string {
  const shown = Object.entries(values).map(([name, value]) => `${name} ${show(value)}`);
  return shown.length === 0 ? '' : `${unit}: ${shown.join(', ')}`;
}
