import { runUntilSignal } from '#common/lifecycle.ts';
import { readConfig } from './config.ts';
import { startUserinfo } from './service.ts';

await runUntilSignal(() => startUserinfo(readConfig(process.env)));
