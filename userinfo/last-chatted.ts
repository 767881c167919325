import { follow } from '#common/follow.ts';
import type { Log } from '#common/log.ts';
import type { CommitBatch, Commits, Graph } from './ports.ts';

/** Keeps the time of each pair's last message, as the feed of commits tells; from where the graph says that it ended. */
export function followLastChatted(graph: Graph, commits: Commits, log: Log): AsyncDisposable {
  return follow<CommitBatch>({
    name: 'commits',
    // Each time from the graph's own place: another process may have been there meanwhile.
    open: async function* (_, signal) {
      yield* commits.follow(await graph.cursor('commits'), signal);
    },
    cursorOf: (batch) => batch.cursor,
    take: ({ chats, cursor }) => graph.chatted(chats, cursor),
    log,
  });
}
