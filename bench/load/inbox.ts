import { credentials } from '@grpc/grpc-js';
import {
  ConversationsServiceClient,
  type CountUnreadResponse,
  type ListConversationsResponse,
} from '#proto/chatterbox/v1/conversations.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import type { Timing } from './meter.ts';
import { Samples } from './samples.ts';
import { answerOf, metadataOf, STUB_OPTIONS } from './stubs.ts';

export interface InboxParams extends Timing {
  /** By what they are called in the results: each with how many messages each of their conversations holds, all unread. */
  people: Record<string, { person: Person; messagesEach: number }>;
  /** Conversations of each of them. */
  conversations: number;
}

const PAGE = 50;

/** First pages of inboxes, and their unread totals. */
export async function runInbox(params: InboxParams, phases: Phases): Promise<LoadResult> {
  const { people, conversations, warmUpSeconds, seconds } = params;
  const inboxes = Object.entries(people).map(([name, { person, messagesEach }]) => {
    const stub = new ConversationsServiceClient(person.address, credentials.createInsecure(), STUB_OPTIONS);
    const metadata = metadataOf(person);
    const request = { pageSize: PAGE, pageToken: '' };
    const list = () =>
      answerOf<ListConversationsResponse>((done) => stub.listConversations(request, metadata, done));
    const count = () => answerOf<CountUnreadResponse>((done) => stub.countUnread({}, metadata, done));
    return { name, messagesEach, stub, list, count, page: new Samples(), total: new Samples() };
  });
  const readUntil = async (end: number, isMeasured: boolean) => {
    while (performance.now() < end)
      for (const { messagesEach, list, count, page, total } of inboxes) {
        const began = performance.now();
        const { conversations: first } = await list();
        if (isMeasured) page.add(performance.now() - began);
        check(first.length === Math.min(PAGE, conversations), 'a page is whole');

        const countBegan = performance.now();
        const { messages } = await count();
        if (isMeasured) total.add(performance.now() - countBegan);
        check(Number(messages) === conversations * messagesEach, 'everything unread is counted');
      }
  };
  await readUntil(performance.now() + warmUpSeconds * 1000, false);
  phases.begin();
  await readUntil(performance.now() + seconds * 1000, true);
  phases.end();
  const figures: Record<string, number> = {};
  for (const { name, stub, page, total } of inboxes) {
    stub.close();
    figures[`page, ${name}, p50 ms`] = page.percentiles().p50;
    figures[`page, ${name}, p99 ms`] = page.percentiles().p99;
    figures[`unread total, ${name}, p50 ms`] = total.percentiles().p50;
  }
  return { figures };
}
