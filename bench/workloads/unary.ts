import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

export const UNARY: Workload = {
  name: 'unary 100',
  isQuick: true,
  floors: ['floor: unary echo'],
  async run(bench) {
    for (const through of bench.ways('gateway', 'direct')) {
      await using server = await bench.server();
      const people = server.people(names('p', 100), through);
      const params = { people, bodyBytes: BODY_BYTES, ...bench.sizes };
      await bench.measure({ workload: 'unary 100', through, load: 'unary', params, server });
    }
  },
};

export const UNARY_ECHO: Workload = {
  name: 'floor: unary echo',
  isQuick: true,
  isStoreless: true,
  async run(bench: Bench) {
    await using server = await bench.server({ program: 'echo', store: 'sqlite:' });
    const people = server.people(names('p', 100), 'direct');
    const params = { people, bodyBytes: BODY_BYTES, ...bench.sizes };
    await bench.measure({
      workload: 'unary 100, grpc-js echo',
      ...{ store: 'none', through: 'floor', load: 'unary' },
      params,
      server,
    });
  },
};
