import { readConfig as readAuthenticatorConfig } from '../../authenticator/config.ts';
import { accountSource, accountTarget } from '../../authenticator/service.ts';
import type { Env } from '../../common/config.ts';
import type { Source, Target } from '../../common/transfer/transfer.ts';
import { readConfig as readMessengerConfig } from '../../messenger/config.ts';
import { messageSource, messageTarget } from '../../messenger/service.ts';
import { readConfig as readUserinfoConfig } from '../../userinfo/config.ts';
import { graphSource, graphTarget } from '../../userinfo/service.ts';

/** What each service owns, by the name of its folder in an export. */
const PARTS: Record<string, Part> = {
  accounts: {
    source: (env) => accountSource(readAuthenticatorConfig(env)),
    target: (env) => accountTarget(readAuthenticatorConfig(env)),
  },
  messages: {
    source: (env) => messageSource(readMessengerConfig(env)),
    target: (env) => messageTarget(readMessengerConfig(env)),
  },
  graph: {
    source: (env) => graphSource(readUserinfoConfig(env)),
    target: (env) => graphTarget(readUserinfoConfig(env)),
  },
};

export const PART_NAMES = Object.keys(PARTS);

/** Opens them all, so that none changes while another one is read; the stack closes them. @throws ConfigError, and what opening them throws. */
export async function openSources(names: string[], env: Env, stack: AsyncDisposableStack) {
  const opened = new Map<string, Source>();
  for (const name of names) opened.set(name, stack.use(await partOf(name).source(env)));
  return opened;
}

/** @throws ConfigError, Error for a store that is not on a server, and what opening them throws. */
export async function openTargets(names: string[], env: Env, stack: AsyncDisposableStack) {
  const opened = new Map<string, Target>();
  for (const name of names) opened.set(name, stack.use(await partOf(name).target(env)));
  return opened;
}

function partOf(name: string): Part {
  const part = Object.hasOwn(PARTS, name) ? PARTS[name] : undefined;
  if (part === undefined) throw new Error(`"${name}" is none of ${PART_NAMES.join(', ')}`);
  return part;
}

interface Part {
  source(env: Env): Promise<Source>;
  target(env: Env): Promise<Target>;
}
