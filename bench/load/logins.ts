import { setTimeout as delay } from 'node:timers/promises';
import { login } from '../../test/outside/http.ts';
import type { LoadResult, Phases } from './load.ts';
import type { PairsParams } from './pairs.ts';
import { talkOn } from './talk-on.ts';

export interface LoginsParams extends PairsParams {
  /** `http://host:port` of the gateway. */
  url: string;
  /** Accounts with passwords; each logs in again and again. */
  accounts: string[];
}

/** A load of messages, alone and then beside a stream of logins. */
export async function runLogins(params: LoginsParams, phases: Phases): Promise<LoadResult> {
  const { warmUpSeconds, seconds, url, accounts } = params;
  const { windows, stop } = await talkOn(params);
  await delay(warmUpSeconds * 1000);
  phases.begin();
  windows.enter('alone');
  await delay(seconds * 1000);
  windows.leave();

  const until = performance.now() + (1 + seconds) * 1000;
  const loggingIn = accounts.map(async (username) => {
    let count = 0;
    for (; performance.now() < until; count++) await login(url, username);
    return count;
  });
  await delay(1_000);
  windows.enter('beside logins');
  await delay(seconds * 1000);
  windows.leave();
  phases.end();
  const logins = (await Promise.all(loggingIn)).reduce((sum, count) => sum + count, 0);
  await stop();
  const [alone, beside] = [windows.percentiles('alone'), windows.percentiles('beside logins')];
  return {
    rate: windows.rate('beside logins'),
    acknowledged: beside,
    figures: {
      'alone, /s': windows.rate('alone'),
      'alone p99, ms': alone.p99,
      'p99 beside to alone': beside.p99 / alone.p99,
      'logins per second': logins / (1 + seconds),
    },
  };
}
