import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A folder that only this process writes to, as long as it is not disposed of. */
export interface DataFolder extends Disposable {
  path: string;
}

/**
 * Opens (and makes, mode 0700) a service's sub-folder of the data folder.
 * The lock is SQLite's own exclusive file lock: the kernel drops it when the process dies, however it dies.
 * @throws Error in the user's words when another process holds the folder.
 */
export function openDataFolder(dataDir: string, service: string): DataFolder {
  const path = join(dataDir, service);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(join(path, 'lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new Error(
      `${path} is in use by another process: stop that one, or set DATA_DIR to another folder`,
      { cause },
    );
  }
  return { path, [Symbol.dispose]: () => lock.close() };
}
