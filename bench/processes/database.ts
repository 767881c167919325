import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import mysql from 'mysql2/promise';

export interface Database extends AsyncDisposable {
  url: string;
  /** The server's process, where it runs on this machine. */
  pid?: number;
}

/** An empty database of the bench's own on a server; disposing drops it. One that is named is taken as it is, and kept. */
export async function openDatabase(server: string, kept?: string): Promise<Database> {
  const name = kept ?? `bench${randomUUID().replaceAll('-', '')}`;
  await run(server, `CREATE DATABASE IF NOT EXISTS ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const pid = pidListeningOn(Number(url.port || 3306));
  return {
    url: url.href,
    ...(pid === undefined ? {} : { pid }),
    async [Symbol.asyncDispose]() {
      if (kept === undefined) await run(server, `DROP DATABASE ${name}`);
    },
  };
}

const SETTINGS = ['version', 'innodb_buffer_pool_size', 'innodb_redo_log_capacity', 'innodb_log_file_size'];

/** What a server says of itself, such as `10.11.6-MariaDB with a buffer pool of 1024 MB and a redo log of 1024 MB`. */
export async function describeServer(server: string): Promise<string> {
  const connection = await mysql.createConnection(server);
  const [rows] = await connection.query<mysql.RowDataPacket[]>(
    'SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)',
    [SETTINGS],
  );
  await connection.end();
  const value = new Map(rows.map((row) => [row.Variable_name, row.Value]));
  const megabytes = (bytes: unknown) => `${Math.round(Number(bytes) / 2 ** 20)} MB`;
  // MySQL has both of the latter names, and goes by the first.
  const redoLog = value.get('innodb_redo_log_capacity') ?? value.get('innodb_log_file_size');
  const pool = value.get('innodb_buffer_pool_size');
  return `${value.get('version')} with a buffer pool of ${megabytes(pool)} and a redo log of ${megabytes(redoLog)}`;
}

async function run(server: string, statement: string): Promise<void> {
  const connection = await mysql.createConnection(server);
  await connection.query(statement);
  await connection.end();
}

const LISTENING = '0A';

/** From /proc: the socket that listens, then the process that holds it. */
function pidListeningOn(port: number): number | undefined {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((path) => readFileSync(path, 'utf8').trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => local.endsWith(end) && state === LISTENING)
    .map((fields) => `socket:[${fields[9]}]`);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const pid = pids.find((id) => filesOf(id).some((file) => sockets.includes(file)));
  return pid === undefined ? undefined : Number(pid);
}

/** Empty for a process that is gone, or another user's. */
function filesOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}
