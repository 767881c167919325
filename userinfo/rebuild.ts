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
): Promise<Rebuilt> {
  const rebuilt: Rebuilt = { chats: 0 };
  let isFirst = true;
  for await (const { chats, cursor } of commits.follow('', signal)) {
    if (isFirst) await graph.forgetChats();
    isFirst = false;
    await graph.chatted(chats, cursor);
    rebuilt.chats += chats.length;
    // Only the last page of the past has a place to go on from.
    if (cursor !== '') return rebuilt;
  }
  throw new Error('the feed of commits ended before its present was reached; run this again');
}
