import { credentials, Metadata } from '@grpc/grpc-js';
import {
  type ChatMessage,
  type ChatMessageResponse,
  ChatServiceClient,
} from '#proto/org/harshit/messenger/chat/messages.ts';
import { Channel } from './channel.ts';
import { orderedId } from './client-id.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import { Meter, type Timing } from './meter.ts';

export interface UnaryParams extends Timing {
  /** Each writes to their neighbour. */
  people: Person[];
  bodyBytes: number;
}

/** SendMessage, each person on their own connection, one call after the other. Every answer must be a new seq. */
export async function runUnary(params: UnaryParams, phases: Phases): Promise<LoadResult> {
  const { people, bodyBytes } = params;
  const meter = new Meter();
  const writing = Promise.all(
    people.map((person, i) => sendOn(person, people[i ^ 1]?.username ?? person.username)),
  );
  await Promise.race([meter.run(params, phases), writing]);
  await writing;
  return meter.result();

  async function sendOn({ username, token, address }: Person, friend: string): Promise<void> {
    const stub = new ChatServiceClient(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    const channel = new Channel(username, friend);
    let last = 0n;
    while (performance.now() < meter.end) {
      const sentAt = performance.now();
      const { seq } = await call(stub, metadata, message(friend, channel.text(bodyBytes, sentAt)));
      check(seq > last, `${username}: seq ${seq} comes after ${last}`);
      last = seq;
      channel.acknowledge(seq);
      meter.acknowledged(sentAt);
    }
    stub.close();
  }
}

function call(
  stub: ChatServiceClient,
  metadata: Metadata,
  request: ChatMessage,
): Promise<ChatMessageResponse> {
  return new Promise((resolve, reject) => {
    stub.sendMessage(request, metadata, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

function message(friend: string, text: string): ChatMessage {
  return {
    user: '',
    friend,
    message: text,
    timestamp: 0n,
    clientId: orderedId(),
    conversation: '',
    seq: 0n,
    sentAt: 0n,
    error: undefined,
  };
}
