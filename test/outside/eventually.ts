import { setTimeout as delay } from 'node:timers/promises';

const WITHIN_MS = 5_000;
const PAUSE_MS = 50;

/** Tries again until the check holds; throws what it last threw where it does not within five seconds. */
export async function eventually(check: () => Promise<void>): Promise<void> {
  for (const until = performance.now() + WITHIN_MS; ; await delay(PAUSE_MS))
    try {
      return await check();
    } catch (error) {
      if (performance.now() > until) throw error;
    }
}
