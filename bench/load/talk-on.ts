import { keepSending, type PairsParams, pairsOf } from './pairs.ts';
import { openAll, settleAll } from './talker.ts';
import { Windows } from './windows.ts';

/** Pairs that talk until they are told to stop, while what happens beside them is told apart by windows. */
export async function talkOn({ people, inFlight, bodyBytes }: PairsParams) {
  const windows = new Windows();
  const talkers = await openAll(people, { meter: windows, bodyBytes });
  const clock = { end: Number.POSITIVE_INFINITY };
  const writing = Promise.all(
    pairsOf(talkers).flatMap(([from, to]) =>
      Array.from({ length: inFlight }, () => keepSending(from, () => to, clock)),
    ),
  );
  return {
    windows,
    /** Fulfils when everything is acknowledged and delivered. */
    async stop(): Promise<void> {
      clock.end = performance.now();
      await writing;
      await settleAll(talkers);
    },
  };
}
