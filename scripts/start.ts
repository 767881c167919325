import { runUntilSignal } from '../common/lifecycle.ts';
import { startEmbedded } from './embedded.ts';
import { welcome } from './welcome.ts';

/** `npm start`: everything in one process, and what to paste next. */
await runUntilSignal(async () => {
  const chatterbox = await startEmbedded({ CHATTERBOX_LOG_LEVEL: 'warn', ...process.env });
  process.stdout.write(welcome(chatterbox.url, process.env.DATA_DIR || './data'));
  return chatterbox;
});
