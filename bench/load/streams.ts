import { credentials, Metadata } from '@grpc/grpc-js';
import { v7 as uuidv7 } from 'uuid';
import { type ChatMessage, ChatServiceClient } from '#proto/org/harshit/messenger/chat/messages.ts';
import { check, type LoadRequest, type LoadResult, Samples, stampedText, stampOf } from './report.ts';

/** The same pairs on the first Chatterbox's stream: a frame for each message. */
export async function runStreams({
  address,
  people,
  inFlight,
  bodyBytes,
  seconds,
}: LoadRequest): Promise<LoadResult> {
  const acknowledged = new Samples();
  const delivered = new Samples();
  const end = { at: Number.POSITIVE_INFINITY };
  const pairs = await Promise.all(
    Array.from({ length: people.length / 2 }, (_, i) => openPair(people[2 * i]!, people[2 * i + 1]!)),
  );
  const began = performance.now();
  end.at = began + seconds * 1000;
  const counts = await Promise.all(pairs.map((pair) => pair.run()));
  const took = (performance.now() - began) / 1000;
  const messages = counts.reduce((sum, count) => sum + count, 0);
  return {
    messages,
    seconds: took,
    acknowledged: acknowledged.percentiles(),
    delivered: delivered.percentiles(),
  };

  async function openPair(from: LoadRequest['people'][number], to: LoadRequest['people'][number]) {
    const [writer, reader] = await Promise.all([
      openStream(address, from.token),
      openStream(address, to.token),
    ]);
    const done = Promise.withResolvers<number>();
    const sentAt = new Map<string, number>();
    let [sent, answered, received, last] = [0, 0, 0, 0n];
    const send = () => {
      const clientId = uuidv7();
      sentAt.set(clientId, performance.now());
      sent++;
      writer.write(message(to.username, stampedText(bodyBytes), clientId));
    };
    const finishIfDone = () => {
      if (performance.now() >= end.at && answered === sent && received === sent) done.resolve(sent);
    };
    writer.on('data', ({ clientId, seq, error }: ChatMessage) => {
      check(error === undefined && seq > 0n, 'no send is refused');
      acknowledged.add(performance.now() - (sentAt.get(clientId) ?? Number.NaN));
      check(sentAt.delete(clientId), 'each send is answered once');
      answered++;
      if (performance.now() < end.at) send();
      finishIfDone();
    });
    reader.on('data', ({ seq, message: text }: ChatMessage) => {
      check(last === 0n || seq === last + 1n, `seq ${seq} follows ${last}`);
      last = seq;
      received++;
      delivered.add(performance.now() - stampOf(text));
      finishIfDone();
    });
    const run = async () => {
      for (let i = 0; i < inFlight; i++) send();
      const count = await done.promise;
      writer.end();
      reader.end();
      return count;
    };
    return { run };
  }
}

async function openStream(address: string, token: string) {
  const stub = new ChatServiceClient(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  metadata.set('chatterbox-device', `bench-${uuidv7()}`.slice(0, 60));
  const call = stub.sendMessagesGrpc(metadata);
  call.on('end', () => stub.close());
  await new Promise((resolve) => call.once('metadata', resolve));
  return call;
}

function message(friend: string, text: string, clientId: string): ChatMessage {
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
  };
}
