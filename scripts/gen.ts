import { generate } from './generate.ts';

/** `npm run gen`: generates `proto/gen` from the protos. */
if (!generate('.')) process.exitCode = 1;
