import { credentials, Metadata } from '@grpc/grpc-js';
import {
  ConversationsServiceClient,
  type ListConversationsRequest,
  type ListConversationsResponse,
} from '#proto/chatterbox/v1/conversations.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import type { Timing } from './meter.ts';
import { Samples } from './samples.ts';

export interface InboxParams extends Timing {
  /** By what they are called in the results: each with how many messages each of their conversations holds, all unread. */
  people: Record<string, { person: Person; messagesEach: number }>;
  /** Conversations of each of them. */
  conversations: number;
}

const PAGE = 50;
const WALKED_PAGE = 100;

/** First pages of inboxes, and walks through the whole of them for the unread total. */
export async function runInbox(params: InboxParams, phases: Phases): Promise<LoadResult> {
  const { people, conversations, warmUpSeconds, seconds } = params;
  const inboxes = Object.entries(people).map(([name, { person, messagesEach }]) => {
    const stub = new ConversationsServiceClient(person.address, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${person.token}`);
    const list = (pageSize: number, pageToken = '') => listOn(stub, metadata, { pageSize, pageToken });
    return { name, messagesEach, stub, list, page: new Samples(), walk: new Samples() };
  });
  const readUntil = async (end: number, isMeasured: boolean) => {
    while (performance.now() < end)
      for (const { messagesEach, list, page, walk } of inboxes) {
        const began = performance.now();
        const { conversations: first } = await list(PAGE);
        if (isMeasured) page.add(performance.now() - began);
        check(first.length === Math.min(PAGE, conversations), 'a page is whole');

        const walkBegan = performance.now();
        let [count, unread, token] = [0, 0, ''];
        do {
          const answer = await list(WALKED_PAGE, token);
          count += answer.conversations.length;
          unread += answer.conversations.reduce((sum, one) => sum + Number(one.unread), 0);
          token = answer.nextPageToken;
        } while (token !== '');
        if (isMeasured) walk.add(performance.now() - walkBegan);
        check(count === conversations && unread === count * messagesEach, 'the inbox is whole');
      }
  };
  await readUntil(performance.now() + warmUpSeconds * 1000, false);
  phases.begin();
  await readUntil(performance.now() + seconds * 1000, true);
  phases.end();
  const figures: Record<string, number> = {};
  for (const { name, stub, page, walk } of inboxes) {
    stub.close();
    figures[`page, ${name}, p50 ms`] = page.percentiles().p50;
    figures[`page, ${name}, p99 ms`] = page.percentiles().p99;
    figures[`unread total, ${name}, p50 ms`] = walk.percentiles().p50;
  }
  return { figures };
}

function listOn(
  stub: ConversationsServiceClient,
  metadata: Metadata,
  request: ListConversationsRequest,
): Promise<ListConversationsResponse> {
  return new Promise((resolve, reject) => {
    stub.listConversations(request, metadata, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}
