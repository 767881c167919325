import { follow } from '#common/follow.ts';
import type { Log } from '#common/log.ts';
import type { CommitBatch, Commits, Graph } from './ports.ts';

/** Keeps the time of each pair's last message, as the feed of commits tells; from where the graph's last run ended. */
export async function followLastChatted(graph: Graph, commits: Commits, log: Log): Promise<AsyncDisposable> {
  return follow<CommitBatch>({
    name: 'commits',
    open: (after, signal) => commits.follow(after, signal),
    cursorOf: (batch) => batch.cursor,
    take: ({ chats, cursor }) => graph.chatted(chats, cursor),
    cursor: await graph.cursor('commits'),
    log,
  });
}
