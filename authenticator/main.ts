import { runUntilSignal } from '#common/lifecycle.ts';
import { readConfig } from './config.ts';
import { startAuthenticator } from './service.ts';

await runUntilSignal(() => startAuthenticator(readConfig(process.env)));
