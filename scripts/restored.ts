import { parseArgs } from 'node:util';
import { readConfig as readAuthenticatorConfig } from '../authenticator/config.ts';
import { accountsRestored } from '../authenticator/service.ts';
import { readAll } from '../common/config.ts';
import { readConfig as readMessengerConfig } from '../messenger/config.ts';
import { messagesRestored } from '../messenger/service.ts';
import { runTransfer } from './transfer/run.ts';

/**
 * `npm run restored`: the last step of every restore from a backup, with the settings of the services and
 * before they start. The log gets a new epoch, so that clients that know more than it holds begin anew
 * instead of taking new messages for old ones.
 */
await runTransfer('Usage: npm run restored', async () => {
  parseArgs();
  const [authenticator, messenger] = readAll([
    () => readAuthenticatorConfig(process.env),
    () => readMessengerConfig(process.env),
  ]);
  await accountsRestored(authenticator);
  await messagesRestored(messenger);
  console.log('The log has a new epoch. Every client begins anew at its next connection.');
});
