import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import Mocha from 'mocha';

/**
 * `npm test`: every suite, or those whose paths are given. Ends with one plain line of counts. A suite that leaves something
 * open, so that the process does not end by itself, fails.
 */
const EVERYTHING = '{common,gateway,authenticator,userinfo,messenger,scripts,test,bench}/**/*.test.ts';
const LEAK_MS = 10_000;

const named = process.argv.slice(2);
const files = named.length > 0 ? named : globSync(EVERYTHING).sort();

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
