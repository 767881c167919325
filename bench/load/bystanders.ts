import { setTimeout as delay } from 'node:timers/promises';
import type { LoadResult, Phases } from './load.ts';
import type { PairsParams } from './pairs.ts';
import { talkOn } from './talk-on.ts';

/**
 * Pairs that talk on while something happens elsewhere, in a process of their own, so that their percentiles are the server's doing. Waits
 * when they are warm (until it may be measured how it is without), when that is measured, and until it is over.
 */
export async function runBystanders(params: PairsParams, phases: Phases): Promise<LoadResult> {
  const { warmUpSeconds, seconds } = params;
  const { windows, stop } = await talkOn(params);
  await delay(warmUpSeconds * 1000);
  await phases.wait('warm');
  windows.enter('before');
  await delay(seconds * 1000);
  windows.leave();
  await phases.wait('measured');
  windows.enter('during');
  await phases.wait('over');
  windows.leave();
  await stop();
  const [before, during] = [windows.percentiles('before'), windows.percentiles('during')];
  return {
    acknowledged: during,
    figures: {
      'others p99 before, ms': before.p99,
      'others p99 during, ms': during.p99,
      'p99 during to before': during.p99 / before.p99,
    },
  };
}
