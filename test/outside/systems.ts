import { describe, it } from 'mocha';
import { newDatabase } from '../../common/mysql/fixtures/database.ts';
import { startCluster } from './cluster.ts';
import { MYSQL, NATS, withoutEngine } from './engines.ts';
import { type System, startSystem } from './system.ts';

export type Start = (env?: Record<string, string>) => Promise<System>;

/** A suite that is run on the whole system in this process, and again on the cluster as processes where its engines are there. */
export function onEverySystem(title: string, suite: (start: Start) => void): void {
  describe(title, () => suite(startSystem));
  describe(`${title}, on a cluster`, function () {
    this.timeout(60_000);
    if (MYSQL !== undefined && NATS !== undefined) suite(clusterOn(MYSQL, NATS));
    else it(withoutEngine('MySQL and NATS'));
  });
}

/** A gateway and two messengers, which restart together. */
function clusterOn(server: string, nats: string): Start {
  return async (env = {}) => {
    await using parts = new AsyncDisposableStack();
    const database = parts.use(await newDatabase(server));
    const cluster = parts.use(await startCluster({ mysql: database.url, nats, env }));
    const restarting = ['gateway', 'messenger', 'messenger2'] as const;
    const started = parts.move();
    return {
      url: cluster.url,
      async restart() {
        await Promise.all(restarting.map((name) => cluster.stop(name)));
        cluster.start(...restarting);
        await cluster.untilMissing();
      },
      [Symbol.asyncDispose]: () => started.disposeAsync(),
    };
  };
}
