import { check, type LoadResult, type Person, type Phases } from './load.ts';
import { Meter, type Timing } from './meter.ts';
import { openAll, settleAll, type Talker } from './talker.ts';

export interface PairsParams extends Timing {
  /** Two for each pair. */
  people: Person[];
  /** Messages that each pair keeps on their way. */
  inFlight: number;
  bodyBytes: number;
  /** Whether both write, half of them each. Default: the first writes, the second reads. */
  bothWrite?: boolean;
}

/** Pairs of people on sessions of their own, with every acknowledgement and delivery checked. */
export async function runPairs(params: PairsParams, phases: Phases): Promise<LoadResult> {
  const { people, bodyBytes, inFlight, bothWrite = false } = params;
  const meter = new Meter();
  const talkers = await openAll(people, { meter, bodyBytes });
  const directions = pairsOf(talkers).flatMap(([one, other]): [Talker, Talker][] =>
    bothWrite
      ? [
          [one, other],
          [other, one],
        ]
      : [[one, other]],
  );
  const each = bothWrite ? inFlight / 2 : inFlight;
  const writing = directions.flatMap(([from, to]) =>
    Array.from({ length: each }, () => keepSending(from, () => to, meter)),
  );
  await Promise.race([meter.run(params, phases), Promise.all(writing)]);
  await Promise.all(writing);
  await settleAll(talkers);
  return meter.result();
}

/** One message after the other, until the meter's end. */
export async function keepSending(
  from: Talker,
  next: () => Talker,
  meter: { readonly end: number },
): Promise<void> {
  while (performance.now() < meter.end) await from.send(next());
}

export function pairsOf<T>(people: readonly T[]): [T, T][] {
  return Array.from({ length: people.length / 2 }, (_, i) => {
    const [one, other] = [people[2 * i], people[2 * i + 1]];
    check(one !== undefined && other !== undefined, 'two people for each pair');
    return [one, other];
  });
}
