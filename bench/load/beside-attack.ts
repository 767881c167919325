import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { credentials } from '@grpc/grpc-js';
import { type ChatMessageResponse, ChatServiceClient } from '#proto/org/harshit/messenger/chat/messages.ts';
import { chatMessage } from './chat-message.ts';
import { orderedId } from './client-id.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import type { Timing } from './meter.ts';
import { answerOf, metadataOf, STUB_OPTIONS } from './stubs.ts';
import { Windows } from './windows.ts';

export interface BesideAttackParams extends Timing {
  /** `http://host:port` of the gateway. */
  url: string;
  /** Some who use it as people do. */
  people: Person[];
}

const PAUSE_MS = 10;

/**
 * People who send messages, ask over a kept connection and over new ones, one call after the other, before
 * and during an attack that the other side begins when it is asked to wait. Every answer counts, however late
 * it is.
 */
export async function runBesideAttack(params: BesideAttackParams, phases: Phases): Promise<LoadResult> {
  const { url, people, warmUpSeconds, seconds } = params;
  const ways = { messages: new Windows(), requests: new Windows(), connections: new Windows() };
  const all = Object.values(ways);
  let isOver = false;
  const again = async (windows: Windows, once: () => Promise<void>) => {
    while (!isOver) {
      const sentAt = performance.now();
      await once();
      windows.acknowledged(sentAt);
      await delay(PAUSE_MS);
    }
  };
  const working = Promise.all(
    people.flatMap((person) => {
      const kept = new Agent({ keepAlive: true, maxSockets: 1 });
      const stub = new ChatServiceClient(person.address, credentials.createInsecure(), STUB_OPTIONS);
      return [
        again(ways.messages, () => send(stub, person)),
        again(ways.requests, () => ask(`${url}/chat/friends`, person, kept)),
        again(ways.connections, () => ask(`${url}/healthz`, person)),
      ];
    }),
  );
  await delay(warmUpSeconds * 1000);
  for (const windows of all) windows.enter('before');
  await delay(seconds * 1000);
  for (const windows of all) windows.leave();
  await phases.wait('attack');
  phases.begin();
  for (const windows of all) windows.enter('during');
  await delay(seconds * 1000);
  isOver = true;
  // What was asked during the attack is waited for.
  await working;
  for (const windows of all) windows.leave();
  phases.end();
  const figures = Object.entries(ways).flatMap(([name, windows]) => {
    const [before, during] = [windows.percentiles('before').p99, windows.percentiles('during').p99];
    return [
      [`${name} p99 before, ms`, before],
      [`${name} p99 during, ms`, during],
      [`${name} during to before`, during / before],
    ];
  });
  return { figures: Object.fromEntries(figures) };
}

async function send(stub: ChatServiceClient, person: Person): Promise<void> {
  const message = chatMessage(person.username, 'hello', orderedId());
  const { seq } = await answerOf<ChatMessageResponse>((done) =>
    stub.sendMessage(message, metadataOf(person), done),
  );
  check(seq > 0n, 'a message is acknowledged');
}

/** Without an agent over a connection of its own. */
async function ask(url: string, { token }: Person, agent: Agent = new Agent()): Promise<void> {
  const call = request(url, { headers: { authorization: `Bearer ${token}` }, agent });
  const status = await new Promise((resolve, reject) => {
    call.once('error', reject).once('response', (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    call.end();
  });
  check(status === 200, `${url} is answered with 200, not ${status}`);
}
