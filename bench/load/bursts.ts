import { setTimeout as delay } from 'node:timers/promises';
import type { LoadResult, Person, Phases } from './load.ts';
import { Meter, type Timing } from './meter.ts';
import { keepSending, pairsOf } from './pairs.ts';
import { openAll, settleAll, type Talker } from './talker.ts';

export interface BurstsParams extends Timing {
  people: Person[];
  bodyBytes: number;
  /** How many of ten pairs burst. */
  burstingOfTen: number;
  /** Messages of a burst, all at once. */
  size: number;
  /** Between a burst's last acknowledgement and the next burst. */
  pauseMs: number;
}

/** Some senders burst, the others keep one message on its way. The percentiles are those of the steady ones. */
export async function runBursts(params: BurstsParams, phases: Phases): Promise<LoadResult> {
  const { people, bodyBytes, burstingOfTen, size, pauseMs } = params;
  const [steady, bursts] = [new Meter(), new Meter()];
  const isBursting = (i: number) => Math.floor(i / 2) % 10 < burstingOfTen;
  const talkers = [
    ...(await openAll(
      people.filter((_, i) => !isBursting(i)),
      { meter: steady, bodyBytes },
    )),
    ...(await openAll(
      people.filter((_, i) => isBursting(i)),
      { meter: bursts, bodyBytes },
    )),
  ];
  const pairs = pairsOf(talkers);
  const steadyPairs = people.filter((_, i) => !isBursting(i)).length / 2;
  const writing = pairs.map(([from, to], i) =>
    i < steadyPairs ? keepSending(from, () => to, steady) : burst(from, to),
  );
  const clocks = [
    steady.run(params, phases),
    bursts.run(params, { ...phases, begin() {}, end() {}, progress() {} }),
  ];
  await Promise.race([Promise.all(clocks), Promise.all(writing)]);
  await Promise.all(writing);
  await settleAll(talkers);
  const { rate, ...steadyOnes } = steady.result();
  const bursting = bursts.result();
  return {
    ...steadyOnes,
    rate: rate + bursting.rate,
    figures: {
      'of them in bursts, /s': bursting.rate,
      'bursting p99, ms': bursting.acknowledged?.p99 ?? Number.NaN,
    },
  };

  async function burst(from: Talker, to: Talker): Promise<void> {
    while (performance.now() < bursts.end) {
      await Promise.all(Array.from({ length: size }, () => from.send(to)));
      await delay(pauseMs);
    }
  }
}
