import { startObserved } from '#common/admin.ts';
import { runUntilSignal } from '#common/lifecycle.ts';
import { readConfig } from './config.ts';
import { startMessenger } from './service.ts';

await runUntilSignal(() => startObserved(process.env, readConfig, startMessenger));
