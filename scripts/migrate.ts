import { ConfigError } from '../common/config.ts';
import { readConfig } from '../messenger/config.ts';
import { messageSchema } from '../messenger/service.ts';

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
  await using schema = messageSchema(readConfig(process.env));
  if (option === undefined) await schema.migrate();
  const steps = await schema.status();
  for (const { number, name, isApplied } of steps)
    console.log(`messages  ${number}  ${isApplied ? 'applied' : 'pending'}  ${name}`);
  if (steps.some(({ isApplied }) => !isApplied)) process.exitCode = 1;
} catch (error) {
  console.error(
    error instanceof ConfigError ? error.message : `Could not migrate: ${(error as Error).message}`,
  );
  process.exitCode = 1;
}
