import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import Mocha from 'mocha';

/**
 * `npm test`: every suite, or those whose paths are given; with `--faults` those that kill and pause the real
 * engines; with `--hostile` those that attack the system. Ends with one plain line of counts. A suite that
 * leaves something open, so that the process does not end by itself, fails.
 */
const EVERYTHING = '{common,gateway,authenticator,userinfo,messenger,scripts,test,bench}/**/*.test.ts';
const FAULTS = 'test/faults/**/*.faults.ts';
const HOSTILE = 'test/hostile/**/*.hostile.ts';
const LEAK_MS = 10_000;

const { values, positionals: named } = parseArgs({
  options: { faults: { type: 'boolean' }, hostile: { type: 'boolean' } },
  allowPositionals: true,
});
const all = values.faults ? FAULTS : values.hostile ? HOSTILE : EVERYTHING;
const files = named.length > 0 ? named : globSync(all).sort();

// By an exit, so that the processes which suites have started end as well.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const mocha = new Mocha({ reporter: 'spec', timeout: 20_000, forbidOnly: true });
for (const file of files) mocha.addFile(resolve(file));
await mocha.loadFilesAsync();
mocha
  .run((failures) => {
    process.exitCode = failures > 0 ? 1 : 0;
    setTimeout(() => {
      process.stderr.write(`Something was left open: ${process.getActiveResourcesInfo().join(', ')}\n`);
      process.exit(1);
    }, LEAK_MS).unref();
  })
  .on('end', function (this: Mocha.Runner) {
    const { passes, failures, pending } = this.stats ?? { passes: 0, failures: 0, pending: 0 };
    process.on('exit', () => {
      const skipped = pending > 0 ? `, ${pending} skipped` : '';
      process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`);
    });
  });
