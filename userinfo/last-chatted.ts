import { follow } from '#common/follow.ts';
import type { Log } from '#common/log.ts';
import type { Chat, CommitBatch, Commits, Graph } from './ports.ts';
import { storeBatch } from './store-batch.ts';

/** Keeps the time of each pair's last message, as the feed of commits tells; from where the graph says that it ended. */
export function followLastChatted(graph: Graph, commits: Commits, log: Log): AsyncDisposable {
  return follow<CommitBatch>({
    name: 'commits',
    // Each time from the graph's own place: another process may have been there meanwhile.
    open: async function* (_, signal) {
      yield* commits.follow(await graph.cursor('commits'), signal);
    },
    cursorOf: (batch) => batch.cursor,
    take: (batch) => storeChats(graph, batch, log),
    log,
  });
}

/** Stores a batch of the feed of commits and its place. @throws ServiceError UNAVAILABLE while the graph does not answer. */
export function storeChats(
  graph: Pick<Graph, 'chatted'>,
  { chats: items, cursor }: CommitBatch,
  log: Log,
): Promise<void> {
  const store = (chats: Chat[], place = '') => graph.chatted(chats, place);
  return storeBatch({ feed: 'commits', items, cursor }, store, log);
}
