import { register } from '../../test/outside/http.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

const LOGINS_AT_ONCE = 4;

export const LOGINS: Workload = {
  name: 'login',
  async run(bench: Bench) {
    const [through = 'direct'] = bench.ways('direct');
    await using server = await bench.server();
    const accounts = names('login', LOGINS_AT_ONCE);
    for (const username of accounts) await register(server.url, username);
    const people = server.people(names('p', 40), through);
    const load = { people, inFlight: 32, bodyBytes: BODY_BYTES, ...bench.sizes };
    const params = { ...load, url: server.url, accounts };
    const extraSeconds = 2 * bench.sizes.seconds;
    await bench.measure({ workload: 'login', through, load: 'logins', params, server, extraSeconds });
  },
};
