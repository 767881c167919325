import type { Log } from '../log.ts';
import type { Bus } from './bus.ts';
import { LocalBus } from './local.ts';
import { NatsBus } from './nats.ts';

/**
 * The bus that the URL names: `local:` for a process that is alone, else see `natsOptions`. Does not wait for its server, which may
 * come and go.
 */
export function openBus(url: string, log: Log): Bus {
  return url === 'local:' ? new LocalBus().connect() : new NatsBus(url, log);
}
