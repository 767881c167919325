import { startObserved } from '#common/admin.ts';
import { runUntilSignal } from '#common/lifecycle.ts';
import { readConfig } from './config.ts';
import { startUserinfo } from './service.ts';

await runUntilSignal(() => startObserved(process.env, readConfig, startUserinfo));
