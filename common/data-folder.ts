import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A folder that only this process writes to, as long as it is not disposed of. */
export interface DataFolder extends Disposable {
  path: string;
}

/**
 * Opens (and makes, mode 0700) a service's sub-folder of the data folder.
 * The lock is SQLite's own exclusive file lock: the kernel drops it when the process dies, however it dies.
 * @throws FolderInUseError when another process holds the folder.
 */
export function openDataFolder(dataDir: string, service: string): DataFolder {
  const path = join(dataDir, service);
  makeFolder(path);
  const lock = new DatabaseSync(join(path, 'lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new FolderInUseError(path, cause);
  }
  return { path, [Symbol.dispose]: () => lock.close() };
}

/** Makes a folder and those above it. Node's recursive mkdir never returns where none can be made, as in /proc. */
export function makeFolder(path: string): void {
  const absolute = resolve(path);
  if (existsSync(absolute)) return;
  makeFolder(dirname(absolute));
  try {
    mkdirSync(absolute, { mode: 0o700 });
  } catch (error) {
    // Somebody else made it in this moment.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Another process holds a data folder; the message is for whoever started this one. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';

  constructor(path: string, cause: unknown) {
    super(`${path} is in use by another process: stop that one, or set DATA_DIR to another folder.`, {
      cause,
    });
  }
}
