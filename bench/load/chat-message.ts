import type { ChatMessage } from '#proto/org/harshit/messenger/chat/messages.ts';

/** A send, with the fields that are not asked for empty. */
export function chatMessage(friend: string, text: string, clientId: string): ChatMessage {
  return {
    user: '',
    friend,
    message: text,
    timestamp: 0n,
    clientId,
    conversation: '',
    seq: 0n,
    sentAt: 0n,
    error: undefined,
    gapFirstSeq: 0n,
    listInbox: false,
  };
}
