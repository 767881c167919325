import { ENGINES } from './engines.ts';
import { haproxy } from './haproxy.ts';

/**
 * `node scripts/engines/install.ts`: makes all engines, and the proxy of the tests, available; tries each,
 * and says what it could not do.
 */
for (const engine of [...ENGINES, haproxy]) {
  const began = performance.now();
  try {
    engine.install();
    console.log(`${engine.name}: there (${Math.round(performance.now() - began)} ms)`);
  } catch (error) {
    process.exitCode = 1;
    console.error(`${engine.name} could not be installed.\n  By hand: ${engine.howToInstall}\n  ${error}`);
  }
}
