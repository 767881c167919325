import type { Server } from '@grpc/grpc-js';
import { z } from 'zod';
import { invalidField, ServiceError } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import {
  type Conversation,
  type ConversationsServiceServer,
  ConversationsServiceService,
  type ListConversationsRequest,
  type ListConversationsResponse,
  type ListEntriesRequest,
  type ListEntriesResponse,
  type Entry as WireEntry,
} from '#proto/chatterbox/v1/conversations.ts';
import type { Timestamp } from '#proto/google/protobuf/timestamp.ts';
import { membersOf } from '../conversation-id.ts';
import { pageSize, readPageToken, writePageToken } from '../paging.ts';
import type { ConversationSummary, Entry, MessageStore } from '../ports.ts';
import { callerOf } from './callers.ts';
import { decodedByUs, unary } from './methods.ts';

export interface ConversationsOptions {
  store: Pick<MessageStore, 'conversations' | 'entries' | 'exists'>;
  log: Log;
}

/** What a person's conversations hold. */
export function addConversationsService(server: Server, { store, log }: ConversationsOptions): void {
  const service: ConversationsServiceServer = {
    listConversations: unary(log, (request, call) =>
      listConversations(store, callerOf(call).username, request),
    ),
    listEntries: unary(log, (request, call) => listEntries(store, callerOf(call).username, request)),
  };
  server.addService(decodedByUs(ConversationsServiceService), service);
}

const InboxPlace = z.strictObject({ sentAt: z.int(), id: z.string() });
const LogPlace = z.strictObject({ conversation: z.string(), after: z.int().nonnegative() });

async function listConversations(
  store: ConversationsOptions['store'],
  user: string,
  request: ListConversationsRequest,
): Promise<ListConversationsResponse> {
  const size = pageSize(request.pageSize);
  const before = readPageToken(request.pageToken, (place) => InboxPlace.safeParse(place).data);
  const summaries = await store.conversations(user, before, size + 1);
  const page = summaries.slice(0, size);
  const last = summaries.length > size ? page.at(-1) : undefined;
  return {
    conversations: page.map(toConversation),
    nextPageToken: last ? writePageToken({ sentAt: last.lastEntry.sentAt, id: last.id }) : '',
  };
}

async function listEntries(
  store: ConversationsOptions['store'],
  user: string,
  request: ListEntriesRequest,
): Promise<ListEntriesResponse> {
  const { conversation } = request;
  const size = pageSize(request.pageSize);
  const isVisible = membersOf(conversation)?.includes(user) && (await store.exists(conversation));
  if (!isVisible) throw new ServiceError('NOT_FOUND', { detail: 'There is no such conversation.' });
  if (request.afterSeq < 0n) throw invalidField('after_seq', 'must not be negative');
  const place = readPageToken(request.pageToken, (token) => LogPlace.safeParse(token).data);
  if (place !== undefined && place.conversation !== conversation) {
    throw invalidField('page_token', 'is not one that this call gave');
  }
  const after = place?.after ?? Number(request.afterSeq);
  const entries = await store.entries([{ conversation, after }], size + 1);
  const page = entries.slice(0, size);
  const last = page.at(-1);
  // The store may return fewer than asked for; only an empty next page proves the end then.
  const hasMore =
    last !== undefined &&
    (entries.length > size || (await store.entries([{ conversation, after: last.seq }], 1)).length > 0);
  return {
    entries: page.map(toWireEntry),
    nextPageToken: last && hasMore ? writePageToken({ conversation, after: last.seq }) : '',
  };
}

function toConversation({ id, members, lastSeq, createdAt, lastEntry }: ConversationSummary): Conversation {
  return {
    id,
    members,
    lastSeq: BigInt(lastSeq),
    lastEntry: toWireEntry(lastEntry),
    createTime: toTimestamp(BigInt(createdAt)),
    updateTime: toTimestamp(BigInt(lastEntry.sentAt)),
  };
}

function toWireEntry({
  conversation,
  seq,
  sender,
  clientId,
  sentAt,
  clientTime,
  messagesSoFar,
  body,
}: Entry): WireEntry {
  return {
    conversation,
    seq: BigInt(seq),
    sender,
    clientId,
    sentTime: toTimestamp(BigInt(sentAt)),
    clientTime: clientTime === 0n ? undefined : toTimestamp(clientTime),
    messagesSoFar: BigInt(messagesSoFar),
    message: { text: body },
  };
}

/** What google.protobuf.Timestamp can say: the years 1 to 9999. */
const FIRST_MS = -62_135_596_800_000n;
const LAST_MS = 253_402_300_799_999n;

/** Undefined for a time that a Timestamp cannot say, which only a client's clock can be. */
function toTimestamp(ms: bigint): Timestamp | undefined {
  if (ms < FIRST_MS || ms > LAST_MS) return undefined;
  const fraction = ((ms % 1000n) + 1000n) % 1000n;
  return { seconds: (ms - fraction) / 1000n, nanos: Number(fraction) * 1_000_000 };
}
