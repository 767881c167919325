import { setTimeout as delay } from 'node:timers/promises';
import type { LoadResult, Person, Phases } from './load.ts';
import { Meter, type Timing } from './meter.ts';
import { pairsOf } from './pairs.ts';
import { openAll, settleAll } from './talker.ts';

export interface PoissonParams extends Timing {
  people: Person[];
  /** Of all pairs together. */
  messagesPerSecond: number;
  bodyBytes: number;
}

const TICK_MS = 1;

/** An open load: messages come when they come, however long the earlier ones take; exponential gaps, over all pairs in turns. */
export async function runPoisson(params: PoissonParams, phases: Phases): Promise<LoadResult> {
  const { people, messagesPerSecond, bodyBytes } = params;
  const meter = new Meter();
  const talkers = await openAll(people, { meter, bodyBytes });
  const pairs = pairsOf(talkers);
  const sending: Promise<void>[] = [];
  const running = meter.run(params, phases);
  let due = performance.now();
  for (let i = 0; performance.now() < meter.end; ) {
    for (; due <= performance.now(); i++) {
      const [from, to] = pairs[i % pairs.length] ?? [];
      if (from !== undefined && to !== undefined) sending.push(from.send(to));
      due += (-Math.log(1 - Math.random()) * 1000) / messagesPerSecond;
    }
    await delay(TICK_MS);
  }
  await running;
  await Promise.all(sending);
  await settleAll(talkers);
  return meter.result();
}
