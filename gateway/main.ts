import { runUntilSignal } from '#common/lifecycle.ts';
import { readConfig } from './config.ts';
import { startGateway } from './service.ts';

await runUntilSignal(() => startGateway(readConfig(process.env)));
