import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { Processes, type ProcessName } from '../../scripts/processes.ts';
import type { Person } from '../load/load.ts';
import { interruption } from './child.ts';
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

const READY_MS = 30_000;

/** An authenticator, and so many messengers and gateways, each a process of its own, on one database and one bus. */
export async function startCluster(options: ClusterOptions): Promise<RunningCluster> {
  await using cleanup = new AsyncDisposableStack();
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  cleanup.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  const database = cleanup.use(await openDatabase(options.mysql));
  const { messengers, gateways } = options;
  const processes = cleanup.use(
    await Processes.prepare({
      env: {
        ...UNLIMITED,
        DATA_DIR: dataDir,
        CHATTERBOX_MESSAGES_URL: database.url,
        CHATTERBOX_BUS_URL: options.nats,
      },
      messengers,
      gateways,
    }),
  );
  const named = (role: string) => processes.names.filter((name) => name.startsWith(role));
  const [messengerNames, gatewayNames] = [named('messenger'), named('gateway')];
  const nodes = [...messengerNames, ...gatewayNames];
  processes.start('authenticator', ...nodes);
  // It makes the accounts' file and the key, with which people are made.
  await processes.untilMissingAt('authenticator');
  for (const name of nodes) await untilServing(processes.addressOf(name));
  const running = cleanup.move();
  const pidsOf = (names: ProcessName[]) => names.map((name) => processes.pidOf(name));
  return {
    pids: {
      server: pidsOf(messengerNames),
      ...(gateways === 0 ? {} : { gateway: pidsOf(gatewayNames) }),
      ...(database.pid === undefined ? {} : { database: [database.pid] }),
    },
    people(usernames, through) {
      const names = through === 'gateway' ? gatewayNames : messengerNames;
      const addresses = names.map((name) => processes.addressOf(name));
      const tokens = makePeople(dataDir, usernames);
      return usernames.map((username, i) => {
        return {
          username,
          token: tokens.get(username) ?? '',
          address: addresses[i % addresses.length] ?? '',
        };
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
