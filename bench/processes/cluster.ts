import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { freePorts } from '../../scripts/processes.ts';
import type { Person } from '../load/load.ts';
import { interruption, stop } from './child.ts';
import { openDatabase } from './database.ts';
import { makePeople } from './people.ts';
import { type Through, UNLIMITED } from './server.ts';
import type { Pids } from './usage.ts';

export interface ClusterOptions {
  mysql: string;
  nats: string;
  messengers: number;
  gateways: number;
}

export interface RunningCluster extends AsyncDisposable {
  pids: Pids;
  /** Neighbours in the list connect to different nodes, where there are several. */
  people(usernames: readonly string[], through: Through): Person[];
}

const ROOT = join(import.meta.dirname, '../..');
const READY_MS = 30_000;

/** An authenticator, and so many messengers and gateways, each a process of its own, on one database and one bus. */
export async function startCluster(options: ClusterOptions): Promise<RunningCluster> {
  await using cleanup = new AsyncDisposableStack();
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  cleanup.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  const database = cleanup.use(await openDatabase(options.mysql));
  const [auth = 0, ...ports] = await freePorts(1 + options.messengers + options.gateways);
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const [messengers, gateways] = [
    addresses.slice(0, options.messengers),
    addresses.slice(options.messengers),
  ];
  const env = {
    ...process.env,
    ...UNLIMITED,
    DATA_DIR: dataDir,
    CHATTERBOX_MESSAGES_URL: database.url,
    CHATTERBOX_BUS_URL: options.nats,
    CHATTERBOX_AUTH_PORT: `${auth}`,
    CHATTERBOX_AUTH_URL: `http://127.0.0.1:${auth}`,
    CHATTERBOX_MESSENGER: messengers.join(','),
  };
  const run = (service: string, variable: string, address: string) => {
    const settings = { ...env, [variable]: address.split(':')[1] };
    const child = spawn(process.execPath, [`${service}/main.ts`], {
      cwd: ROOT,
      env: settings,
      stdio: 'ignore',
    });
    cleanup.defer(() => stop(child, 'SIGKILL'));
    return child.pid ?? 0;
  };
  run('authenticator', 'CHATTERBOX_AUTH_PORT', `127.0.0.1:${auth}`);
  const messengerPids = messengers.map((address) => run('messenger', 'CHATTERBOX_MESSENGER_PORT', address));
  const gatewayPids = gateways.map((address) => run('gateway', 'PORT', address));
  for (const address of addresses) await untilServing(address);
  const running = cleanup.move();
  return {
    pids: {
      server: messengerPids,
      ...(gatewayPids.length === 0 ? {} : { gateway: gatewayPids }),
      ...(database.pid === undefined ? {} : { database: [database.pid] }),
    },
    people(usernames, through) {
      const nodes = through === 'gateway' ? gateways : messengers;
      const tokens = makePeople(dataDir, usernames);
      return usernames.map((username, i) => {
        return { username, token: tokens.get(username) ?? '', address: nodes[i % nodes.length] ?? '' };
      });
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Asks the node by the health protocol of gRPC, which a gateway passes on to a messenger. */
async function untilServing(address: string): Promise<void> {
  const client = new Client(address, credentials.createInsecure());
  try {
    for (const end = Date.now() + READY_MS; Date.now() < end; await delay(50)) {
      interruption.signal.throwIfAborted();
      if (await isServing(client)) return;
    }
    throw new Error(`${address} did not get ready`);
  } finally {
    client.close();
  }
}

function isServing(client: Client): Promise<boolean> {
  const raw = (bytes: Buffer) => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      raw,
      raw,
      Buffer.alloc(0),
      { deadline: Date.now() + 1_000 },
      // `status: SERVING`, field 1 with the value 1.
      (error, answer) =>
        resolve(error === null && answer !== undefined && answer.equals(Buffer.from([8, 1]))),
    );
  });
}
