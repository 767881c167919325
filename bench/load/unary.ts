import { credentials } from '@grpc/grpc-js';
import { type ChatMessageResponse, ChatServiceClient } from '#proto/org/harshit/messenger/chat/messages.ts';
import { Channel } from './channel.ts';
import { chatMessage } from './chat-message.ts';
import { orderedId } from './client-id.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import { Meter, type Timing } from './meter.ts';
import { answerOf, metadataOf, STUB_OPTIONS } from './stubs.ts';

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

  async function sendOn(person: Person, friend: string): Promise<void> {
    const { username, address } = person;
    const stub = new ChatServiceClient(address, credentials.createInsecure(), STUB_OPTIONS);
    const metadata = metadataOf(person);
    const channel = new Channel(username, friend);
    let last = 0n;
    while (performance.now() < meter.end) {
      const sentAt = performance.now();
      const request = chatMessage(friend, channel.text(bodyBytes, sentAt), orderedId());
      const { seq } = await answerOf<ChatMessageResponse>((done) =>
        stub.sendMessage(request, metadata, done),
      );
      check(seq > last, `${username}: seq ${seq} comes after ${last}`);
      last = seq;
      channel.acknowledge(seq);
      meter.acknowledged(sentAt);
    }
    stub.close();
  }
}
