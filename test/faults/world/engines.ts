import { spawnSync } from 'node:child_process';
import type { Context } from 'mocha';
import mysql, { type Connection } from 'mysql2/promise';
import type { Engine, RunningEngine } from '../../../scripts/engines/engine.ts';

/** Leaves the suite out, and says why, where an engine is not installed. */
export function needs(context: Context, ...engines: Engine[]): void {
  const missing = engines.filter((engine) => !engine.isInstalled());
  for (const { name, howToInstall } of missing)
    process.stderr.write(`  ${name} is not installed. To have it: ${howToInstall}\n`);
  if (missing.length > 0) context.skip();
}

/** How a service would be let in: to its own database only, so that a read-only server is so for it too. */
export async function ordinaryUser(engine: RunningEngine): Promise<string> {
  const admin = await adminOf(engine);
  await admin.query(`CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'`);
  await admin.query(`GRANT ALL ON chatterbox.* TO app@'127.0.0.1'`);
  await admin.end();
  const url = new URL(engine.url);
  url.username = 'app';
  url.password = 'app';
  return url.href;
}

export function adminOf({ url }: RunningEngine): Promise<Connection> {
  return mysql.createConnection(url);
}

export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

/** Stopped by SIGSTOP. */
export function isPaused(pid: number): boolean {
  return spawnSync('ps', ['-o', 'stat=', '-p', `${pid}`], { encoding: 'utf8' }).stdout.startsWith('T');
}
