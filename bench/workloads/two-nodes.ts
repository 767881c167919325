import { type ClusterOptions, startCluster } from '../processes/cluster.ts';
import type { Through } from '../processes/server.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

/** Which processes run, and how they are reached. Writer and reader of each pair are on different nodes where there are two. */
const TOPOLOGIES: [string, Pick<ClusterOptions, 'messengers' | 'gateways'>, Through][] = [
  ['1 messenger', { messengers: 1, gateways: 0 }, 'direct'],
  ['2 messengers', { messengers: 2, gateways: 0 }, 'direct'],
  ['1 messenger, 1 gateway', { messengers: 1, gateways: 1 }, 'gateway'],
  ['2 messengers, 2 gateways', { messengers: 2, gateways: 2 }, 'gateway'],
];

/** One node and two on the same machine, as processes. Needs a MySQL and a NATS. */
export const TWO_NODES: Workload = {
  name: 'two nodes',
  async run(bench: Bench) {
    const nats = process.env.TEST_NATS_URL;
    if (bench.store.url === 'sqlite:' || nats === undefined) return;
    for (const [name, topology, through] of TOPOLOGIES) {
      await using cluster = await startCluster({ mysql: bench.store.url, nats, ...topology });
      const people = cluster.people(names('p', 40), through);
      const params = { people, inFlight: 32, bodyBytes: BODY_BYTES, ...bench.sizes };
      const workload = `pairs 20x32, ${name}`;
      await bench.measure({ workload, through, load: 'pairs', params, server: cluster });
    }
  },
};
