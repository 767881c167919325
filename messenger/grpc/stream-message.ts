import type { handleClientStreamingCall, ServerReadableStream } from '@grpc/grpc-js';
import type { ServiceError } from '#common/errors.ts';
import { toRpcStatus } from '#common/grpc/status.ts';
import type { ChatMessage, ChatMessageResponse } from '#proto/org/harshit/messenger/chat/messages.ts';
import { SendWindow } from '../send-window.ts';
import { callerOf } from './callers.ts';
import { toResponse, toSendRequest } from './chat-message.ts';
import type { ChatServiceOptions } from './chat-service.ts';
import { failureOf, incoming } from './methods.ts';

type Call = ServerReadableStream<ChatMessage, ChatMessageResponse>;

const LISTED_FAILURES = 100;
const SENDS_IN_FLIGHT = 256;

/**
 * Any number of messages, one answer. Somebody above their rate is slowed down rather than refused: the stream itself
 * holds them back. What is committed stays, however the stream ends.
 */
export function streamMessage(
  options: ChatServiceOptions,
): handleClientStreamingCall<ChatMessage, ChatMessageResponse> {
  return (call, callback) => {
    takeAll(call, options).then(
      (response) => callback(null, response),
      (thrown: unknown) => callback(failureOf(thrown, options.log)),
    );
  };
}

async function takeAll(
  call: Call,
  { sender, rate, liveCalls }: ChatServiceOptions,
): Promise<ChatMessageResponse> {
  const { username, sessionId } = callerOf(call);
  using live = liveCalls.open(sessionId);
  const window = new SendWindow(sender, SENDS_IN_FLIGHT);
  const tally = new Tally();
  const ended = Promise.withResolvers<never>();
  live.signal.addEventListener('abort', () => ended.reject(live.signal.reason));

  const takeEach = async () => {
    let index = 0;
    for await (const message of incoming<ChatMessage>(call)) {
      await rate.wait(username, live.signal);
      if (live.signal.aborted) break;
      await window.send(username, toSendRequest(message), tally.listener(index++, message.clientId));
    }
    await window.empty();
    return tally.response;
  };
  return Promise.race([takeEach(), ended.promise]);
}

/** Counts what becomes of a stream's messages. */
class Tally {
  readonly response = {
    ...toResponse({ conversation: '', seq: 0, clientId: '', sentAt: 0, isRetry: false }),
    committed: 0,
  };

  listener(index: number, clientId: string) {
    const { response } = this;
    return {
      sent: () => {
        response.committed++;
      },
      refused: (error: ServiceError) => {
        response.failed++;
        response.deliveryStatus = false;
        const isListed = response.failures.length < LISTED_FAILURES;
        if (isListed) response.failures.push({ index, clientId, error: toRpcStatus(error) });
      },
    };
  }
}
