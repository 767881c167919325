import type { handleClientStreamingCall, ServerReadableStream } from '@grpc/grpc-js';
import type { ServiceError } from '#common/errors.ts';
import { toRpcStatus } from '#common/grpc/status.ts';
import type { ChatMessage, ChatMessageResponse } from '#proto/org/harshit/messenger/chat/messages.ts';
import type { SendRequest } from '../send.ts';
import { type SendListener, SendWindow } from '../send-window.ts';
import { callerOf } from './callers.ts';
import { toResponse, toSendRequest } from './chat-message.ts';
import type { ChatServiceOptions } from './chat-service.ts';
import { eachRequest, failureOf } from './methods.ts';

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
  { sender, rate, openings, liveCalls }: ChatServiceOptions,
): Promise<ChatMessageResponse> {
  const { username, sessionId } = callerOf(call);
  openings.take(username);
  using live = liveCalls.open(sessionId);
  const tally = new Tally();
  const window = new SendWindow(username, sender, SENDS_IN_FLIGHT, tally);
  const ended = Promise.withResolvers<never>();
  live.onEnd(ended.reject);

  const takeEach = async () => {
    let index = 0;
    await eachRequest<ChatMessage>(call, async (message) => {
      await rate.wait(username, live.signal);
      if (live.reason === undefined) await window.send({ ...toSendRequest(message), index: index++ });
    });
    await window.empty();
    return tally.response;
  };
  return Promise.race([takeEach(), ended.promise]);
}

type Numbered = SendRequest & { index: number };

/** Counts what becomes of a stream's messages. */
class Tally implements SendListener<Numbered> {
  readonly response = {
    ...toResponse({ conversation: '', seq: 0, clientId: '', sentAt: 0, isRetry: false }),
    committed: 0,
  };

  sent(): boolean {
    this.response.committed++;
    return true;
  }

  refused({ index, clientId }: Numbered, error: ServiceError): void {
    const { response } = this;
    response.failed++;
    response.deliveryStatus = false;
    const isListed = response.failures.length < LISTED_FAILURES;
    if (isListed) response.failures.push({ index, clientId, error: toRpcStatus(error) });
  }
}
