import { check, type LoadResult, type Person, type Phases } from './load.ts';
import type { Timing } from './meter.ts';
import { openRaw } from './raw-session.ts';
import { Samples } from './samples.ts';

export interface CatchUpParams extends Timing {
  person: Person;
  /** What the device has missed and never acknowledges, so that each session brings all of it again. */
  conversations: number;
  entriesEach: number;
}

/** A device that was away opens one session after the other, each until it is caught up. The rate is entries per second. */
export async function runCatchUp(params: CatchUpParams, phases: Phases): Promise<LoadResult> {
  const { person, conversations, entriesEach, warmUpSeconds, seconds } = params;
  const times = new Samples();
  const catchUpUntil = async (end: number, isMeasured: boolean) => {
    do {
      const seqs = new Map<string, number>();
      const began = performance.now();
      const session = openRaw(person, 'phone', ({ entries }) => {
        for (const { conversation, seq } of entries) {
          const last = seqs.get(conversation) ?? 0;
          if (Number(seq) !== last + 1) check(false, `${conversation}: ${seq} comes after ${last}`);
          seqs.set(conversation, Number(seq));
        }
      });
      await session.caughtUp;
      if (isMeasured) times.add(performance.now() - began);
      const isWhole = [...seqs.values()].every((seq) => seq === entriesEach);
      check(isWhole && seqs.size === conversations, 'everything missed comes before caught_up');
      await session.close();
    } while (performance.now() < end);
  };
  await catchUpUntil(performance.now() + warmUpSeconds * 1000, false);
  phases.begin();
  await catchUpUntil(performance.now() + seconds * 1000, true);
  phases.end();
  const { p50, p99 } = times.percentiles();
  const rate = (conversations * entriesEach) / (p50 / 1000);
  return {
    rate,
    figures: { 'caught up after, p50 ms': p50, 'caught up after, p99 ms': p99, times: times.count },
  };
}
