import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a process under test is asked by the bench, over IPC. */
export interface Question {
  /** The lag of what comes now is asked for next. */
  isStart?: boolean;
  /** Collect garbage first, so that memory is what is needed. */
  collects?: boolean;
}

export interface Probe {
  rssMb: number;
  heapMb: number;
  /** Sockets, timers, workers and the like that are open. */
  handles: number;
  /** How late the event loop was, of all ticks since then. */
  lagP99Ms: number;
}

const RESOLUTION_MS = 5;
const FREED_MS = 500;
/** Also what V8 keeps for new objects, which grows with the work that was done. */
const HOW = { type: 'major', execution: 'sync', flavor: 'last-resort' };

/** Answers the bench's questions about this process; ends the process with the bench. */
export function answerProbes(): void {
  const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  lag.enable();
  process.on('message', async ({ isStart = false, collects = false }: Question) => {
    if (collects) await collect();
    const { rss, heapUsed } = process.memoryUsage();
    process.send?.({
      rssMb: rss / 1e6,
      heapMb: heapUsed / 1e6,
      handles: process.getActiveResourcesInfo().length,
      lagP99Ms: Math.max(0, lag.percentile(99) / 1e6 - RESOLUTION_MS),
    } satisfies Probe);
    if (isStart) lag.reset();
  });
  process.on('disconnect', () => process.exit(1));
}

/** Twice: what the first finds to finalise, the second frees; and V8 gives pages back to the system a moment later. */
async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (how: object) => void;
  for (let i = 0; i < 2; i++) {
    gc(HOW);
    await delay(FREED_MS);
  }
}
