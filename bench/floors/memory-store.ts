import { type Head, planCommit } from '../../messenger/commit-plan.ts';
import type { Draft, Entry, MessageStore, Range } from '../../messenger/ports.ts';

/** As many entries of a conversation as are kept for a reader that falls behind. */
const KEPT = 20_000;

/** The store without the storing: commits are planned and kept in memory. What is left is the transport, and all else that we do. */
export function withoutCommits(store: MessageStore): MessageStore {
  const heads = new Map<string, Head>();
  const logs = new Map<string, Entry[]>();
  return {
    ...store,
    async commit(drafts: Draft[], now: number) {
      const plan = planCommit(drafts, heads, new Map(), now);
      for (const [conversation, head] of plan.heads) heads.set(conversation, head);
      for (const entry of plan.entries) keep(logs, entry);
      return plan.outcomes;
    },
    entries: async (ranges: Range[], maxEntries: number) =>
      ranges
        .flatMap(({ conversation, after }) => (logs.get(conversation) ?? []).filter(({ seq }) => seq > after))
        .slice(0, maxEntries),
    saveCursors: async () => [],
  };
}

function keep(logs: Map<string, Entry[]>, entry: Entry): void {
  const log = logs.get(entry.conversation) ?? [];
  log.push(entry);
  logs.set(entry.conversation, log.length > 2 * KEPT ? log.slice(-KEPT) : log);
}
