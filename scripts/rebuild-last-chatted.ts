import { createLog } from '../common/log.ts';
import { readConfig } from '../userinfo/config.ts';
import { rebuild } from '../userinfo/service.ts';

/** `npm run rebuild:last-chatted`: reads when people last chatted anew from the messenger. */
try {
  const rebuilt = await rebuild(readConfig(process.env), createLog('userinfo', 'warn'));
  console.log(
    rebuilt === 'at the next start'
      ? 'Forgotten. The next start reads everything again.'
      : `Read again: ${rebuilt.chats} chats.`,
  );
} catch (error) {
  const { message, cause } = error as Error;
  console.error(
    `Last chatted could not be rebuilt: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`,
  );
  process.exitCode = 1;
}
