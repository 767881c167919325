import { once } from 'node:events';
import type { Said } from '../processes/loading.ts';
import type { LoadResult, Phases } from './load.ts';
import { LOADS, type LoadName } from './loads.ts';

/** The load generator: an outsider in a process of its own. Takes one request by IPC, answers with what it measured and checked. */
const say = (said: Said) => process.send?.(said);

const phases: Phases = {
  begin: () => say({ begin: true }),
  end: () => say({ end: true }),
  progress: (count) => say({ progress: count }),
  async wait(what) {
    say({ wait: what });
    await once(process, 'message');
  },
};

process.on('disconnect', () => process.exit());
process.once('message', async ({ load, params }: { load: LoadName; params: never }) => {
  const run = LOADS[load] as (params: never, phases: Phases) => Promise<LoadResult>;
  try {
    say({ result: await run(params, phases) });
  } catch (error) {
    say({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
// A check that fails where nobody waits for it fails the run as well.
process.on('uncaughtException', (error) => say({ error: error.stack ?? error.message }));
process.on('unhandledRejection', (error) => say({ error: String(error) }));
