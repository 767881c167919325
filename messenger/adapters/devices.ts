import { ServiceError } from '#common/errors.ts';

/** A device that is here is seen anew after this long, ms: each time would be a write for each opening. */
export const SEEN_STEP_MS = 3_600_000;

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
