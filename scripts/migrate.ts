import { readConfig as readAuthenticatorConfig } from '../authenticator/config.ts';
import { accountSchema } from '../authenticator/service.ts';
import { ConfigError, readAll } from '../common/config.ts';
import type { StoreSchema } from '../common/migrations.ts';
import { readConfig as readMessengerConfig } from '../messenger/config.ts';
import { messageSchema } from '../messenger/service.ts';
import { readConfig as readUserinfoConfig } from '../userinfo/config.ts';
import { graphSchema } from '../userinfo/service.ts';

/**
 * `npm run migrate`: brings the schemas of the stores to this version; every service also does so when it starts.
 * `npm run migrate -- --status`: shows which steps have run, and ends with 1 when some have not.
 */
const [option, ...more] = process.argv.slice(2);
if (more.length > 0 || (option !== undefined && option !== '--status')) {
  console.error('Usage: npm run migrate [-- --status]');
  process.exit(2);
}

try {
  const [authenticator, messenger, userinfo] = readAll([
    () => readAuthenticatorConfig(process.env),
    () => readMessengerConfig(process.env),
    () => readUserinfoConfig(process.env),
  ]);
  await bringForward('accounts', accountSchema(authenticator));
  await bringForward('messages', messageSchema(messenger));
  await bringForward('graph', graphSchema(userinfo));
} catch (error) {
  console.error(
    error instanceof ConfigError ? error.message : `Could not migrate: ${(error as Error).message}`,
  );
  process.exitCode = 1;
}

async function bringForward(what: string, opened: StoreSchema & AsyncDisposable): Promise<void> {
  await using schema = opened;
  if (option === undefined) await schema.migrate();
  const steps = await schema.status();
  for (const { number, name, isApplied } of steps)
    console.log(`${what}  ${number}  ${isApplied ? 'applied' : 'pending'}  ${name}`);
  if (steps.some(({ isApplied }) => !isApplied)) process.exitCode = 1;
}
