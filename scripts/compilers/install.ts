import { COMPILERS } from './compilers.ts';

/**
 * `npm run compilers:install`: makes available what generates code in other languages; tries each. One that cannot be
 * installed is no failure: its tests show as pending.
 */
for (const compiler of COMPILERS) {
  const began = performance.now();
  try {
    compiler.install();
    console.log(`${compiler.language}: there (${Math.round(performance.now() - began)} ms)`);
  } catch (error) {
    console.error(`${compiler.language}: left out. By hand: ${compiler.howToInstall}\n  ${error}`);
  }
}
