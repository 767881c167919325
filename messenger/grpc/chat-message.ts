import type { ServiceError } from '#common/errors.ts';
import { toRpcStatus } from '#common/grpc/status.ts';
import type { ChatMessage, ChatMessageResponse } from '#proto/org/harshit/messenger/chat/messages.ts';
import { membersOf } from '../conversation-id.ts';
import type { Entry } from '../ports.ts';
import type { SendRequest, Sent } from '../send.ts';

/** What most messages do not say. */
const BARE = { error: undefined, gapFirstSeq: 0n, listInbox: false };

/** What a ChatMessage asks to be sent. The first app's `friend` may come in quotes; the name is canonicalised later. */
export function toSendRequest({
  user,
  friend,
  conversation,
  message,
  clientId,
  timestamp,
}: ChatMessage): SendRequest {
  return { user, friend, conversation, body: message, clientId, clientTime: timestamp, attempt: 0 };
}

/** A log entry as its recipient, or another device of its sender, sees it. */
export function toChatMessage({
  conversation,
  sender,
  seq,
  sentAt,
  clientId,
  clientTime,
  body,
}: Entry): ChatMessage {
  return {
    user: sender,
    friend: membersOf(conversation)?.find((member) => member !== sender) ?? sender,
    message: body,
    timestamp: clientTime,
    clientId,
    conversation,
    seq: BigInt(seq),
    sentAt: BigInt(sentAt),
    ...BARE,
  };
}

/** The sender's own message, given back with its place in the log. */
export function toAcknowledgement(request: SendRequest, { conversation, seq, sentAt }: Sent): ChatMessage {
  return { ...toRequest(request), conversation, seq: BigInt(seq), sentAt: BigInt(sentAt) };
}

/** The sender's own message, given back with why it was refused. */
export function toRefusal(request: SendRequest, error: ServiceError): ChatMessage {
  return { ...toRequest(request), error: toRpcStatus(error) };
}

function toRequest({ user, friend, conversation, body, clientId, clientTime }: SendRequest): ChatMessage {
  const asked = { user, friend, conversation, message: body, clientId, timestamp: clientTime };
  return { ...asked, seq: 0n, sentAt: 0n, ...BARE };
}

export function toResponse({ conversation, seq, clientId, sentAt }: Sent): ChatMessageResponse {
  return {
    deliveryStatus: true,
    conversation,
    seq: BigInt(seq),
    clientId,
    sentAt: BigInt(sentAt),
    committed: 1,
    failed: 0,
    failures: [],
  };
}

/** A client acknowledges by sending a place back without text. */
export function isAcknowledgement({ conversation, seq, message }: ChatMessage): boolean {
  return seq > 0n && conversation !== '' && message === '';
}

/** A frame that says nothing but that somebody is there. */
export function isHeartbeat({ conversation, friend, message, clientId }: ChatMessage): boolean {
  return conversation === '' && friend === '' && message === '' && clientId === '';
}
