import type { Server } from '@grpc/grpc-js';
import { z } from 'zod';
import { invalidField, ServiceError } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import {
  type ConversationsServiceServer,
  ConversationsServiceService,
  type ListConversationsRequest,
  type ListConversationsResponse,
  type ListEntriesRequest,
  type ListEntriesResponse,
} from '#proto/chatterbox/v1/conversations.ts';
import { requireMember } from '../conversation-id.ts';
import { pageSize, readPageToken, writePageToken } from '../paging.ts';
import type { Entry, MessageStore } from '../ports.ts';
import type { ReadMarks } from '../read-marks.ts';
import { entrySeq, wholeNumber } from '../seqs.ts';
import type { UserRate } from '../user-rate.ts';
import { callerOf } from './callers.ts';
import { decodedByUs } from './decoding.ts';
import { toConversation, toWireEntry, toWireMarks } from './encode.ts';
import { unary } from './methods.ts';

export interface ConversationsOptions {
  store: Pick<MessageStore, 'conversations' | 'unread' | 'entries' | 'entriesBefore' | 'heads' | 'epoch'>;
  readMarks: ReadMarks;
  /** Of what they write, … */
  rate: UserRate;
  /** … and of what they read. */
  reads: UserRate;
  log: Log;
}

/** What a person's conversations hold. */
export function addConversationsService(
  server: Server,
  { store, readMarks, rate, reads, log }: ConversationsOptions,
): void {
  const readerOf = (call: Parameters<typeof callerOf>[0]): string => {
    const { username } = callerOf(call);
    reads.take(username);
    return username;
  };
  const service: ConversationsServiceServer = {
    listConversations: unary(log, async (request, call) => listConversations(store, readerOf(call), request)),
    listEntries: unary(log, async (request, call) => listEntries(store, readerOf(call), request)),
    countUnread: unary(log, async (_request, call) => {
      const { messages, conversations } = await store.unread(readerOf(call));
      return { messages: BigInt(messages), conversations: BigInt(conversations) };
    }),
    markRead: unary(log, async ({ conversation, seq }, call) => {
      const { username: user } = callerOf(call);
      rate.take(user);
      const marks = await readMarks.move({ user, conversation, seq: entrySeq(seq, 'seq') });
      return { marks: toWireMarks(marks) };
    }),
  };
  server.addService(decodedByUs(ConversationsServiceService), service);
}

const InboxPlace = z.strictObject({ sentAt: z.int().nonnegative(), id: z.string() });
/** Where a page of a log goes on: after a seq, or, descending, before one. */
const LogPlace = z.strictObject({
  conversation: z.string(),
  after: z.int().nonnegative().optional(),
  before: z.int().nonnegative().optional(),
});
type LogPlace = z.infer<typeof LogPlace>;

async function listConversations(
  store: ConversationsOptions['store'],
  user: string,
  request: ListConversationsRequest,
): Promise<ListConversationsResponse> {
  const size = pageSize(request.pageSize);
  const before = await readPageToken(request.pageToken, store, (place) => InboxPlace.safeParse(place).data);
  const summaries = await store.conversations(user, before, size + 1);
  const page = summaries.slice(0, size);
  const last = summaries.length > size ? page.at(-1) : undefined;
  return {
    conversations: page.map(toConversation),
    nextPageToken: await tokenFor(store, last && { sentAt: last.lastEntry.sentAt, id: last.id }),
  };
}

async function listEntries(
  store: ConversationsOptions['store'],
  user: string,
  request: ListEntriesRequest,
): Promise<ListEntriesResponse> {
  const { conversation } = request;
  requireMember(user, conversation);
  const size = pageSize(request.pageSize);
  const place = await placeOf(store, request);
  if ((await store.heads([conversation])).length === 0)
    throw new ServiceError('NOT_FOUND', { detail: 'There is no such conversation.' });
  const page = await readPage(store, place, size);
  const last = page.at(-1);
  const next =
    last &&
    (place.before === undefined ? { conversation, after: last.seq } : { conversation, before: last.seq });
  // A page may be cut short by its amount of text: only an empty next one proves the end.
  const hasMore = next !== undefined && (await readPage(store, next, 1)).length > 0;
  return { entries: page.map(toWireEntry), nextPageToken: await tokenFor(store, hasMore ? next : undefined) };
}

/** Empty where nothing follows. */
async function tokenFor(store: ConversationsOptions['store'], next: object | undefined): Promise<string> {
  return next === undefined ? '' : writePageToken(await store.epoch(), next);
}

function readPage(
  store: ConversationsOptions['store'],
  { conversation, after = 0, before }: LogPlace,
  size: number,
): Promise<Entry[]> {
  if (before !== undefined) return store.entriesBefore(conversation, before, size);
  return store.entries([{ conversation, after }], size);
}

async function placeOf(
  store: ConversationsOptions['store'],
  { conversation, pageToken, afterSeq, beforeSeq, newestFirst }: ListEntriesRequest,
): Promise<LogPlace> {
  const starts = [afterSeq !== 0n, beforeSeq !== 0n, newestFirst].filter(Boolean).length;
  if (starts > 1) throw invalidField('after_seq', 'must not be set together with before_seq or newest_first');
  const [after, before] = [wholeNumber(afterSeq, 'after_seq', 0), wholeNumber(beforeSeq, 'before_seq', 0)];
  const place = await readPageToken(pageToken, store, (token) => LogPlace.safeParse(token).data);
  if (place !== undefined && place.conversation !== conversation) {
    throw invalidField('page_token', 'is not one that this call gave');
  }
  if (place !== undefined) return place;
  if (newestFirst) return { conversation, before: Number.MAX_SAFE_INTEGER };
  return before > 0 ? { conversation, before } : { conversation, after };
}
