import type { Options } from '../options.ts';
import type { Workload } from './bench.ts';
import { FLOORS } from './floors.ts';
import { HOSTILE } from './hostile.ts';
import { IDLE } from './idle.ts';
import { LARGE } from './large.ts';
import { LOGINS } from './logins.ts';
import { PAIRS } from './pairs.ts';
import { CATCH_UP, HISTORY, INBOX } from './reading.ts';
import { SOAK } from './soak.ts';
import { START_UP } from './start-up.ts';
import { STORM } from './storm.ts';
import { TWO_NODES } from './two-nodes.ts';
import { UNARY, UNARY_ECHO } from './unary.ts';

/** Everything that can be measured, in the order of the table. */
export const CATALOGUE: readonly Workload[] = [
  ...PAIRS,
  UNARY,
  ...FLOORS,
  UNARY_ECHO,
  LARGE,
  IDLE,
  STORM,
  HISTORY,
  INBOX,
  CATCH_UP,
  LOGINS,
  START_UP,
  TWO_NODES,
  SOAK,
  HOSTILE,
];

/**
 * What a run measures. `only`: the names, or beginnings of names, that are wanted, with the floors that belong to them.
 * @throws Error for one that fits nothing.
 */
export function choose(only: readonly string[], kind: Options['kind'], hasFloors: boolean): Workload[] {
  for (const name of only)
    if (!CATALOGUE.some((workload) => workload.name.startsWith(name)))
      throw new Error(
        `there is no workload "${name}": ${CATALOGUE.map((workload) => workload.name).join(', ')}`,
      );
  const isNamed = ({ name }: Workload) => only.some((wanted) => name.startsWith(wanted));
  const isPart = ({ isQuick, isNamedOnly, isVariant }: Workload) => {
    if (kind === 'smoke') return isVariant !== true;
    return kind === 'quick' ? isQuick === true : isNamedOnly !== true;
  };
  const wanted = CATALOGUE.filter(only.length > 0 ? isNamed : isPart);
  const needed = new Set(wanted.flatMap(({ floors = [] }) => floors));
  return CATALOGUE.filter((workload) => {
    if (!isFloor(workload)) return wanted.includes(workload);
    return (
      isNamed(workload) || (hasFloors && needed.has(workload.name) && (only.length > 0 || isPart(workload)))
    );
  });
}

function isFloor({ name }: Workload): boolean {
  return name.startsWith('floor: ');
}
