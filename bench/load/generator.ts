import { runPairs } from './pairs.ts';
import type { LoadRequest, LoadResult } from './report.ts';
import { runStreams } from './streams.ts';
import { runUnary } from './unary.ts';

/** The load generator: an outsider in a process of its own. Takes one request by IPC, answers with what it measured and checked. */
const WORKLOADS: Record<LoadRequest['workload'], (request: LoadRequest) => Promise<LoadResult>> = {
  pairs: runPairs,
  streams: runStreams,
  unary: runUnary,
};

process.once('message', async (request: LoadRequest) => {
  try {
    process.send?.({ result: await WORKLOADS[request.workload](request) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.stack : String(error) });
  }
  process.once('disconnect', () => process.exit());
});
