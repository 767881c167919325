import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from './generate.ts';

/** `npm run check`: everything that needs no running system. Runs all checks and names those that failed. */
const CHECKS: Record<string, () => boolean> = {
  'format and lint': () => run('biome', 'check', '--error-on-warnings', '.'),
  types: () => run('tsc'),
  'proto lint': () => run('buf', 'lint', 'proto'),
  'proto breaking changes': () => run('buf', 'breaking', 'proto', '--against', 'proto/baseline.binpb'),
  'generated code is fresh': isFresh,
  architecture: () => run('node', 'scripts/test.ts', 'test/architecture.test.ts'),
};

const failed = Object.entries(CHECKS).filter(([name, check]) => {
  process.stdout.write(`\n— ${name}\n`);
  return !check();
});
process.stdout.write(
  failed.length === 0 ? '\nAll checks passed.\n' : `\nFailed: ${failed.map(([name]) => name).join(', ')}\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

function isFresh(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-gen-'));
  try {
    return generate(folder) && run('diff', '--recursive', '--brief', join(folder, 'proto/gen'), 'proto/gen');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0;
}
