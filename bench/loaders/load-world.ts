import type { Where } from '../processes/server.ts';
import { loadIntoMysql } from './mysql.ts';
import { loadIntoSqlite } from './sqlite.ts';
import type { World } from './world.ts';

/**
 * Fills an empty store that nobody uses yet, past our own write path: millions of entries in a minute, and nothing that is measured. What
 * lies there afterwards is what our path would have left, but for the journal, which is empty as if all its readers had read it.
 */
export async function loadWorld(
  { dataDir, messagesUrl }: Where,
  world: World,
  onProgress: (entries: number) => void = () => {},
): Promise<void> {
  if (messagesUrl === 'sqlite:') loadIntoSqlite(dataDir, world, onProgress);
  else await loadIntoMysql(messagesUrl, world, onProgress);
}
