import { directConversation } from '../../messenger/conversation-id.ts';
import { loadWorld } from '../loaders/load-world.ts';
import type { Conversation } from '../loaders/world.ts';
import { type Bench, BODY_BYTES, names, type Workload } from './bench.ts';

export const HISTORY: Workload = {
  name: 'history',
  async run(bench: Bench) {
    const entries = { small: 1_000, large: bench.size(1_000_000, 5_000) };
    const conversations: Conversation[] = Object.entries(entries).map(([name, count]) => {
      return { members: ['ada', name], entries: count };
    });
    const [through = 'direct'] = bench.ways('direct');
    await using server = await bench.server({
      prepare: (where) => loadWorld(where, { conversations, bodyBytes: BODY_BYTES }, loading(bench)),
    });
    const [person] = server.people(['ada', ...Object.keys(entries)], through);
    if (person === undefined) return;
    const named = {
      'of a thousand': { id: directConversation('ada', 'small'), entries: entries.small },
      [`of ${entries.large}`]: { id: directConversation('ada', 'large'), entries: entries.large },
    };
    const params = { person, conversations: named, ...bench.sizes };
    await bench.measure({ workload: 'history', through, load: 'history', params, server });
  },
};

export const INBOX: Workload = {
  name: 'inbox',
  async run(bench: Bench) {
    const conversations = bench.size(1_000, 120);
    const messages = bench.size(1_000, 20);
    const friends = names('f', conversations);
    const worlds = [
      { user: 'few', entries: 1 },
      { user: 'many', entries: messages },
    ];
    const [through = 'direct'] = bench.ways('direct');
    await using server = await bench.server({
      prepare: (where) =>
        loadWorld(
          where,
          {
            conversations: worlds.flatMap(({ user, entries }) =>
              friends.map((friend) => ({ members: [user, friend] as const, entries })),
            ),
            bodyBytes: BODY_BYTES,
          },
          loading(bench),
        ),
    });
    const [few, many] = server.people(['few', 'many'], through);
    if (few === undefined || many === undefined) return;
    const people = {
      '1 message each': { person: few, messagesEach: 1 },
      [`${messages} messages each`]: { person: many, messagesEach: messages },
    };
    const params = { people, conversations, ...bench.sizes };
    await bench.measure({ workload: 'inbox', through, load: 'inbox', params, server });
  },
};

export const CATCH_UP: Workload = {
  name: 'catch-up',
  async run(bench: Bench) {
    const [conversations, entriesEach] = [bench.size(1_000, 50), 10];
    const [through = 'direct'] = bench.ways('direct');
    await using server = await bench.server({
      prepare: (where) =>
        loadWorld(where, {
          conversations: names('f', conversations).map((friend) => {
            return { members: ['ada', friend] as const, entries: entriesEach };
          }),
          phones: ['ada'],
          bodyBytes: BODY_BYTES,
        }),
    });
    const [person] = server.people(['ada'], through);
    if (person === undefined) return;
    const params = { person, conversations, entriesEach, ...bench.sizes };
    await bench.measure({ workload: 'catch-up', through, load: 'catch-up', params, server });
  },
};

function loading(bench: Bench): (entries: number) => void {
  return (entries) => bench.doing('loading', `${entries} entries`);
}
