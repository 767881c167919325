import type { LoadResult } from '../load/load.ts';
import type { LoadName, LoadParams } from '../load/loads.ts';
import { hear, start, stop } from './child.ts';
import { type Pids, type Usage, watch } from './usage.ts';

export interface Loaded extends Usage {
  result: LoadResult;
}

export interface Loading<Name extends LoadName> {
  load: Name;
  params: LoadParams<Name>;
  /** What is watched beside the generator itself. */
  pids: Pids;
  /** It is ended, and has failed, when it takes longer. */
  withinSeconds: number;
  /** When what is measured begins: connections are open, caches warm. */
  onBegin?: () => Promise<unknown>;
  /** How many of whatever the load counts, each second. */
  onProgress?: (count: number) => void;
  /** An instruction of the load that waits for one, see `Phases.wait`. */
  onWait?: (what: string) => Promise<unknown>;
}

export type Said =
  | { begin: true }
  | { end: true }
  | { progress: number }
  | { wait: string }
  | { result: LoadResult }
  | { error: string };

/** Runs one load in a process of its own, and looks at what it and the others use meanwhile. @throws Error when a check failed. */
export async function runLoad<Name extends LoadName>(loading: Loading<Name>): Promise<Loaded> {
  const { load, params, pids, withinSeconds, onBegin, onProgress, onWait } = loading;
  const child = start(new URL('../load/generator.ts', import.meta.url), [], process.env);
  const deadline = performance.now() + withinSeconds * 1000;
  try {
    child.send({ load, params });
    let used = watch({ ...pids, client: [child.pid ?? 0] });
    let usage: Usage | undefined;
    for (;;) {
      const said = await hear<Said>(child, deadline - performance.now());
      if ('begin' in said) {
        await onBegin?.();
        used = watch({ ...pids, client: [child.pid ?? 0] });
      } else if ('end' in said) usage = used();
      else if ('progress' in said) onProgress?.(said.progress);
      else if ('wait' in said) {
        await onWait?.(said.wait);
        child.send({ go: true });
      } else if ('error' in said) throw new Error(said.error);
      else return { result: said.result, ...(usage ?? used()) };
    }
  } finally {
    await stop(child);
  }
}
