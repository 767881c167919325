import type { Server } from '@grpc/grpc-js';
import type { Log } from '#common/log.ts';
import { type ChatServiceServer, ChatServiceService } from '#proto/org/harshit/messenger/chat/messages.ts';
import type { Cursors } from '../cursors.ts';
import type { Hub } from '../hub.ts';
import type { LiveCalls } from '../live-calls.ts';
import type { Sender } from '../send.ts';
import type { Arrivals } from '../turns.ts';
import type { UserRate } from '../user-rate.ts';
import { callerOf } from './callers.ts';
import { toResponse, toSendRequest } from './chat-message.ts';
import { decodedByUs } from './decoding.ts';
import { liveChat } from './live-chat.ts';
import { unary } from './methods.ts';
import { streamMessage } from './stream-message.ts';

export interface ChatServiceOptions {
  sender: Sender;
  rate: UserRate;
  /** Of streams opened. */
  openings: UserRate;
  hub: Hub;
  liveCalls: LiveCalls;
  store: Arrivals;
  cursors: Cursors;
  /** A user has at most so many devices. */
  maxDevices: number;
  /** A device did not keep up: it reads on from the log. */
  onWindowFull(): void;
  clock(): number;
  /** Ms that only grow, see common/clocks.ts. */
  steady(): number;
  log: Log;
}

/** The first Chatterbox's service: three ways to send, one of which also receives. */
export function addChatService(server: Server, options: ChatServiceOptions): void {
  const { sender, rate, log } = options;
  const service: ChatServiceServer = {
    sendMessage: unary(log, async (message, call) => {
      const { username } = callerOf(call);
      rate.take(username);
      return toResponse(await sender.send(username, toSendRequest(message)));
    }),
    streamMessage: streamMessage(options),
    sendMessagesGrpc: liveChat(options),
  };
  server.addService(decodedByUs(ChatServiceService), service);
}
