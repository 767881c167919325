import { credentials, Metadata } from '@grpc/grpc-js';
import { v7 as uuidv7 } from 'uuid';
import { type ChatMessageResponse, ChatServiceClient } from '#proto/org/harshit/messenger/chat/messages.ts';
import { check, type LoadRequest, type LoadResult, Samples, stampedText } from './report.ts';

/** SendMessage, each person on their own connection, one call after the other. */
export async function runUnary({ address, people, bodyBytes, seconds }: LoadRequest): Promise<LoadResult> {
  const acknowledged = new Samples();
  const began = performance.now();
  const end = began + seconds * 1000;
  const counts = await Promise.all(people.map((person, i) => sendOn(person, people[i ^ 1]!.username)));
  const messages = counts.reduce((sum, count) => sum + count, 0);
  return { messages, seconds: (performance.now() - began) / 1000, acknowledged: acknowledged.percentiles() };

  async function sendOn({ token }: LoadRequest['people'][number], friend: string): Promise<number> {
    const stub = new ChatServiceClient(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    let [count, last] = [0, 0n];
    while (performance.now() < end) {
      const sentAt = performance.now();
      const { seq } = await call(stub, metadata, friend, stampedText(bodyBytes));
      check(seq > last, 'seq grows');
      last = seq;
      count++;
      acknowledged.add(performance.now() - sentAt);
    }
    stub.close();
    return count;
  }
}

function call(
  stub: ChatServiceClient,
  metadata: Metadata,
  friend: string,
  text: string,
): Promise<ChatMessageResponse> {
  const request = {
    ...{
      user: '',
      friend,
      message: text,
      timestamp: 0n,
      clientId: uuidv7(),
      conversation: '',
      seq: 0n,
      sentAt: 0n,
    },
    error: undefined,
  };
  return new Promise((resolve, reject) => {
    stub.sendMessage(request, metadata, (error, response) => (error ? reject(error) : resolve(response)));
  });
}
