import { join } from 'node:path';
import { readConfig } from './config.ts';
import { rotateKeys } from './keys.ts';

const { signingKeys, dataDir } = readConfig(process.env);
const path = signingKeys || join(dataDir, 'authenticator', 'signing-keys.json');
process.stdout.write(`${path}: key ${rotateKeys(path, Date.now())} is published and signs in a minute.\n`);
