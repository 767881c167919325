import { startObserved } from '#common/admin.ts';
import { runUntilSignal } from '#common/lifecycle.ts';
import { readConfig } from './config.ts';
import { startAuthenticator } from './service.ts';

await runUntilSignal(() => startObserved(process.env, readConfig, startAuthenticator));
