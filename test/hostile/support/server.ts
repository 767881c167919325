import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { runUntilSignal } from '../../../common/lifecycle.ts';
import type { GatewayOverrides } from '../../../gateway/service.ts';
import { startEmbedded } from '../../../scripts/embedded.ts';

/**
 * The whole system in a process of its own, that says over IPC where it listens and, when asked, what it
 * holds.
 */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const limits = JSON.parse(process.env.HOSTILE_LIMITS ?? '{}') as NonNullable<GatewayOverrides['limits']>;

await runUntilSignal(async () => {
  const { HOSTILE_LIMITS: _, ...env } = process.env;
  const chatterbox = await startEmbedded(env, { gateway: { limits } });
  process.on('message', () => {
    // Twice: what the first finds to finalise, the second frees.
    collect();
    collect();
    const { heapUsed, external } = process.memoryUsage();
    process.send?.({ bytes: heapUsed + external });
  });
  process.on('disconnect', () => process.exit(1));
  process.send?.({ url: chatterbox.url });
  return chatterbox;
});
