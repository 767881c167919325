import { runUntilSignal } from '../../common/lifecycle.ts';
import { startEmbedded } from '../../scripts/embedded.ts';
import { withoutCommits } from '../floors/memory-store.ts';
import { answerProbes } from './probe.ts';

/** The system under test, in a process of its own; tells its addresses to whoever started it. `--floor`: without its store. */
const overrides = process.argv.includes('--floor') ? { messenger: { wrapStore: withoutCommits } } : {};

await runUntilSignal(async () => {
  const chatterbox = await startEmbedded(process.env, overrides);
  answerProbes();
  process.send?.({ url: chatterbox.url, messenger: chatterbox.messenger });
  return chatterbox;
});
