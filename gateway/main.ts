import { startObserved } from '#common/admin.ts';
import { runUntilSignal } from '#common/lifecycle.ts';
import { readConfig } from './config.ts';
import { startGateway } from './service.ts';

await runUntilSignal(() => startObserved(process.env, readConfig, startGateway));
