import { readKeysFile } from './config.ts';
import { rotateKeys } from './keys-file.ts';

// A command for people: says in one line what happened, or what is wrong.
try {
  const path = readKeysFile(process.env);
  const kid = rotateKeys(path, Date.now());
  process.stdout.write(`${path}: key ${kid} is published and signs in a minute.\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
