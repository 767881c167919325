import type { LoadResult, Person, Phases } from './load.ts';
import { Meter, type Timing } from './meter.ts';
import { keepSending } from './pairs.ts';
import { openAll, settleAll, type Talker } from './talker.ts';

export interface CrowdParams extends Timing {
  people: Person[];
  /** So many of them write, each to anybody. */
  writers: number;
  inFlight: number;
  bodyBytes: number;
  hasRandomIds: boolean;
}

/** A few of many write, each message to another one of the crowd: as many conversations as there are pairs with a writer. */
export async function runCrowd(params: CrowdParams, phases: Phases): Promise<LoadResult> {
  const { people, writers, inFlight, bodyBytes, hasRandomIds } = params;
  const meter = new Meter();
  const talkers = await openAll(people, { meter, bodyBytes, hasRandomIds });
  const anybodyBut = (self: Talker): Talker => {
    for (;;) {
      const talker = talkers[Math.floor(Math.random() * talkers.length)];
      if (talker !== undefined && talker !== self) return talker;
    }
  };
  const writing = talkers
    .slice(0, writers)
    .flatMap((from) =>
      Array.from({ length: inFlight }, () => keepSending(from, () => anybodyBut(from), meter)),
    );
  await Promise.race([meter.run(params, phases), Promise.all(writing)]);
  await Promise.all(writing);
  await settleAll(talkers);
  return meter.result();
}
