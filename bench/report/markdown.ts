import { Figures } from './figures.ts';
import { GOALS, type Goal } from './goals.ts';
import type { Results } from './results.ts';
import { type Row, titleOf } from './row.ts';
import { rounded, whole } from './table.ts';

/** The goals with what was reached of them, as far as it was measured. */
export function goalsTable({ rows }: Pick<Results, 'rows'>): string {
  const figures = new Figures(rows);
  const lines = GOALS.flatMap((goal) => {
    const reached = goal.reached(figures);
    if (reached === undefined || Number.isNaN(reached)) return [];
    const scale = goal.scale?.(figures);
    const scaled = scale === undefined ? '' : bound(goal, scale);
    return [[goal.what, bound(goal, 1), scaled, show(goal, reached), verdict(goal, reached, scale ?? 1)]];
  });
  return table(['', 'goal', 'scaled to this machine', 'reached', ''], lines);
}

/** Everything that was measured. */
export function rowsTable({ rows }: Pick<Results, 'rows'>): string {
  const head = [
    '',
    'per second',
    'acked p50 / p99, ms',
    'delivered p50 / p99, ms',
    'cores: server, client, database',
    'MB',
    'lag p99, ms',
  ];
  return table(
    head,
    rows.map((row) => [
      titleOf(row),
      row.failure !== undefined ? 'failed' : row.rate === undefined ? '' : whole(row.rate),
      pair(row.acknowledged),
      pair(row.delivered),
      ['server', 'client', 'database'].map((name) => row.cpu?.[name]?.toFixed(2) ?? '–').join(', '),
      row.rssMb?.server === undefined ? '' : whole(row.rssMb.server),
      row.lagP99Ms?.toFixed(1) ?? '',
    ]),
  );
}

/** What the columns have no place for. */
export function figuresList({ rows }: Pick<Results, 'rows'>): string {
  return rows
    .filter(({ figures }) => figures !== undefined)
    .map((row) => `- **${titleOf(row)}**: ${figuresOf(row)}`)
    .join('\n');
}

export function machineLine({ date, commit, kind, seconds, bodyBytes, machine }: Results): string {
  const { cores, cpu, memoryGb, kernel, node, database } = machine;
  const engine = database === undefined ? '' : `, ${database}`;
  const machineText = `${cores} cores (${cpu}), ${memoryGb} GB, Linux ${kernel}, Node ${node}${engine}`;
  return `${date.slice(0, 10)}, commit ${commit}, a ${kind} run, ${seconds} s each after the warm-up, ${bodyBytes}-byte texts; ${machineText}.`;
}

function figuresOf({ figures = {} }: Row): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name}: ${rounded(value)}`)
    .join('; ');
}

function bound(goal: Goal, scale: number): string {
  const [least, most] = bounds(goal, scale);
  if (least !== undefined) return `≥ ${show(goal, least)}`;
  return most === undefined ? 'stated' : `≤ ${show(goal, most)}`;
}

function verdict(goal: Goal, reached: number, scale: number): string {
  if (goal.atLeast === undefined && goal.atMost === undefined) return '';
  const isWithin = ([least, most]: Bounds) => reached >= (least ?? reached) && reached <= (most ?? reached);
  const [asSet, asScaled] = [isWithin(bounds(goal, 1)), isWithin(bounds(goal, scale))];
  if (asSet === asScaled) return asSet ? 'reached' : 'not reached';
  return asScaled ? 'reached as scaled' : 'not reached as scaled';
}

type Bounds = [least: number | undefined, most: number | undefined];

/** A faster machine does more in less time. */
function bounds({ atLeast, atMost }: Goal, scale: number): Bounds {
  return [
    atLeast === undefined ? undefined : atLeast * scale,
    atMost === undefined ? undefined : atMost / scale,
  ];
}

function show({ unit }: Goal, value: number): string {
  return unit === 'times'
    ? Number(value.toPrecision(3)).toString()
    : `${rounded(value)}${unit === '/s' ? '' : ' '}${unit}`;
}

function pair(percentiles: Row['acknowledged']): string {
  return percentiles === undefined ? '' : `${percentiles.p50.toFixed(2)} / ${percentiles.p99.toFixed(2)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? '---' : '--:')).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}
