import { runUntilSignal } from '#common/lifecycle.ts';
import { readConfig } from './config.ts';
import { startMessenger } from './service.ts';

await runUntilSignal(() => startMessenger(readConfig(process.env)));
