import { setTimeout as delay } from 'node:timers/promises';
import { ATTACKS, begin, type Target } from '../../test/hostile/support/attacks.ts';

/** How long each round of an attack is held. */
const ROUND_MS = 500;

/** Attacks again and again until the bench lets it go. */
process.on('disconnect', () => process.exit());
process.once('message', async ({ name, target }: { name: string; target: Target }) => {
  const attack = ATTACKS[name];
  if (attack === undefined) throw new Error(`there is no attack "${name}"`);
  for (let isFirst = true; ; isFirst = false) {
    // The server may close what a later round opens before it is used.
    const begun = begin(attack, target);
    await using _sockets = isFirst ? await begun : await begun.catch(() => undefined);
    if (isFirst) process.send?.({ begun: true });
    await delay(ROUND_MS);
  }
});
