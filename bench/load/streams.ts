import { credentials } from '@grpc/grpc-js';
import { type ChatMessage, ChatServiceClient } from '#proto/org/harshit/messenger/chat/messages.ts';
import { Channel } from './channel.ts';
import { chatMessage } from './chat-message.ts';
import { orderedId } from './client-id.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import { Meter } from './meter.ts';
import { type PairsParams, pairsOf } from './pairs.ts';
import { metadataOf, STUB_OPTIONS } from './stubs.ts';

/** The same pairs on the first Chatterbox's stream: a frame for each message. */
export async function runStreams(params: PairsParams, phases: Phases): Promise<LoadResult> {
  const { people, inFlight, bodyBytes } = params;
  const meter = new Meter();
  const pairs = await Promise.all(
    pairsOf(people).map(([from, to]) => openPair(from, to, inFlight, bodyBytes, meter)),
  );
  const writing = Promise.all(pairs.map((pair) => pair.run()));
  await Promise.race([meter.run(params, phases), writing]);
  await writing;
  return meter.result();
}

async function openPair(from: Person, to: Person, inFlight: number, bodyBytes: number, meter: Meter) {
  const [writer, reader] = await Promise.all([openStream(from), openStream(to)]);
  const channel = new Channel(from.username, to.username);
  const done = Promise.withResolvers<void>();
  const sentAt = new Map<string, number>();
  const send = () => {
    const clientId = orderedId();
    const now = performance.now();
    sentAt.set(clientId, now);
    writer.write(chatMessage(to.username, channel.text(bodyBytes, now), clientId));
  };
  const finishIfDone = () => {
    if (performance.now() >= meter.end && channel.isSettled) done.resolve();
  };
  writer.on('data', ({ clientId, seq, error }: ChatMessage) => {
    check(error === undefined && seq > 0n, 'no send is refused');
    const at = sentAt.get(clientId);
    check(at !== undefined, 'each send is answered once');
    sentAt.delete(clientId);
    channel.acknowledge(seq);
    meter.acknowledged(at);
    if (performance.now() < meter.end) send();
    finishIfDone();
  });
  reader.on('data', ({ seq, message: text }: ChatMessage) => {
    meter.delivered(channel.deliver(seq, text), performance.now());
    finishIfDone();
  });
  for (const stream of [writer, reader]) stream.on('error', (error) => done.reject(error));
  return {
    async run() {
      for (let i = 0; i < inFlight; i++) send();
      await done.promise;
      channel.verify();
      writer.end();
      reader.end();
    },
  };
}

async function openStream(person: Person) {
  const stub = new ChatServiceClient(person.address, credentials.createInsecure(), STUB_OPTIONS);
  const call = stub.sendMessagesGrpc(metadataOf(person, { 'chatterbox-device': `bench-${orderedId()}` }));
  call.on('end', () => stub.close());
  await new Promise((resolve, reject) => call.once('metadata', resolve).once('error', reject));
  return call;
}
