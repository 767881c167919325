import type { Log } from '#common/log.ts';
import { storeChats } from './last-chatted.ts';
import type { Commits, Graph } from './ports.ts';

export interface Rebuilt {
  /** Chats that were told, each pair once or more. */
  chats: number;
}

/**
 * Forgets when anybody last chatted and follows the commits from their beginning again, up to the present: for a graph whose times were
 * lost or are doubted. Nothing is forgotten before the messenger has answered. Others may follow meanwhile: the newest time counts.
 */
export async function rebuildLastChatted(
  graph: Graph,
  commits: Commits,
  signal: AbortSignal,
  log: Log,
): Promise<Rebuilt> {
  const rebuilt: Rebuilt = { chats: 0 };
  let isFirst = true;
  for await (const batch of commits.follow('', signal)) {
    if (isFirst) await graph.forgetChats();
    isFirst = false;
    await storeChats(graph, batch, log);
    rebuilt.chats += batch.chats.length;
    // Only the last page of the past has a place to go on from.
    if (batch.cursor !== '') return rebuilt;
  }
  throw new Error('the feed of commits ended before its present was reached; run this again');
}
