import { ATTACKS, type Target } from '../../test/hostile/support/attacks.ts';
import { sessionStub, unary } from '../../test/outside/grpc.ts';
import { register } from '../../test/outside/http.ts';
import { hear, start, stop } from '../processes/child.ts';
import type { ServerUnderTest } from '../processes/server.ts';
import { type Bench, names, type Workload } from './bench.ts';

const BEGUN_WITHIN_MS = 30_000;

/** Latency of other users during each attack of the hostile suite, with the limits of production. */
export const HOSTILE: Workload = {
  name: 'hostile',
  isNamedOnly: true,
  async run(bench) {
    const attacks = Object.keys(ATTACKS).slice(0, bench.size(Number.POSITIVE_INFINITY, 1));
    for (const name of attacks) await measure(bench, name);
  },
};

async function measure(bench: Bench, name: string): Promise<void> {
  await using server = await bench.server({ hasLimits: true });
  const target = await victim(server, bench.size(100, 1));
  const attacker = start(new URL('../processes/attacker.ts', import.meta.url), [], process.env);
  try {
    await bench.measure({
      workload: `hostile: ${name}`,
      through: 'gateway',
      load: 'beside attack',
      params: { url: server.url, people: server.people(names('p', 4), 'gateway'), ...bench.sizes },
      server,
      extraSeconds: 2 * bench.sizes.seconds,
      async onWait() {
        attacker.send({ name, target });
        await hear(attacker, BEGUN_WITHIN_MS);
      },
    });
  } finally {
    await stop(attacker);
  }
}

/** An account with a history whose pages are large. */
async function victim({ url }: ServerUnderTest, messages: number): Promise<Target> {
  const eve = await register(url, 'eve');
  const stub = sessionStub(url);
  for (let i = 0; i < messages; i++)
    await unary(stub, 'Send', { friend: 'eve', text: 'x'.repeat(8_000) }, eve);
  stub.close();
  const accounts = names('eve', 20);
  for (const name of accounts) await register(url, name);
  return { url, token: eve.token, conversation: 'eve:eve', accounts };
}
