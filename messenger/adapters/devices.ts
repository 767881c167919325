import { aheadBy } from '#common/clocks.ts';
import { ServiceError } from '#common/errors.ts';

/** A device that is here is noted as seen after this long, ms: noting it each time would be a write for each opening. */
const SEEN_STEP_MS = 3_600_000;

export function isToBeSeen(seenAt: number, now: number): boolean {
  return Math.abs(aheadBy(now, seenAt)) > SEEN_STEP_MS;
}

/**
 * Which of a user's devices go, the longest unseen first, so that one more has room. `devices`: ascending by when they were seen; those in `open`
 * stay. @throws ServiceError CONFLICT where too few can go.
 */
export function devicesToForget(devices: readonly string[], open: readonly string[], max: number): string[] {
  const surplus = devices.length + 1 - max;
  if (surplus <= 0) return [];
  const forgotten = devices.filter((device) => !open.includes(device)).slice(0, surplus);
  if (forgotten.length < surplus)
    throw new ServiceError('CONFLICT', {
      detail: `open.device: ${max} devices of this user have a stream open`,
    });
  return forgotten;
}
