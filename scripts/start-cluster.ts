import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runUntilSignal } from '../common/lifecycle.ts';
import { ENGINES } from './engines/engines.ts';
import { Processes } from './processes.ts';
import { welcome } from './welcome.ts';

/**
 * `npm run start:cluster`: the four services and a second messenger as processes, on the MySQL, Neo4j and NATS whose URLs are set, by
 * the settings of each or by what `npm run engines` prints.
 */
const SETTINGS_OF: Record<string, readonly string[]> = {
  TEST_MYSQL_URL: ['CHATTERBOX_ACCOUNTS_URL', 'CHATTERBOX_MESSAGES_URL'],
  TEST_NEO4J_URL: ['CHATTERBOX_GRAPH_URL'],
  TEST_NATS_URL: ['CHATTERBOX_BUS_URL'],
};

await runUntilSignal(async () => {
  const env = clusterSettings();
  const dataDir = env.DATA_DIR ?? mkdtempSync(join(tmpdir(), 'chatterbox-cluster-'));
  const processes = await Processes.prepare({
    env: { CHATTERBOX_LOG_LEVEL: 'warn', ...env, DATA_DIR: dataDir },
    messengers: 2,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  processes.start(...processes.names);
  return {
    failed: failureOf(processes, `the databases; keys in ${dataDir}`),
    async [Symbol.asyncDispose]() {
      const codes = await processes.stopAll();
      if (env.DATA_DIR === undefined) rmSync(dataDir, { recursive: true });
      // Without a code: it was told before it listened to signals.
      if (codes.some((code) => code !== 0 && code !== null))
        throw new Error(`they ended with ${codes}, see above`);
    },
  };
});

/** Says when all is there. Rejects when that takes too long, and when one of them ends by itself; until then it may be told to stop. */
async function failureOf(processes: Processes, data: string): Promise<never> {
  const early = processes.ended().then((name) => {
    throw new Error(`${name} has ended, see above`);
  });
  early.catch(() => {});
  await Promise.race([processes.untilMissing(), early]);
  process.stdout.write(welcome(processes.url, data));
  for (const name of processes.names)
    process.stdout.write(
      `  ${name.padEnd(14)} ${processes.addressOf(name)}, process ${processes.pidOf(name)}\n`,
    );
  return early;
}

/** The settings of this environment, with the engines' URLs in their places. Ends the process where one is missing. */
function clusterSettings(): Record<string, string> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  for (const [variable, settings] of Object.entries(SETTINGS_OF))
    for (const setting of settings) env[setting] ||= env[variable] ?? '';
  const missing = ENGINES.filter(({ variable }) =>
    SETTINGS_OF[variable]?.some((setting) => env[setting] === ''),
  );
  for (const { variable, name, howToInstall } of missing)
    console.error(
      `No ${name}: set ${SETTINGS_OF[variable]?.join(' and ')}, or run \`npm run engines\` and paste what it prints. To have it: ${howToInstall}`,
    );
  if (missing.length > 0) process.exit(1);
  return env;
}
