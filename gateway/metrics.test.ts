import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import { toGrpcStatus } from '#common/grpc/status.ts';
import { Metrics } from '#common/metrics.ts';
import { rawCall } from './fixtures/raw-call.ts';
import { send, startWorld, withToken } from './fixtures/world.ts';

type Message = Record<string, unknown>;

const CHAT = 'org.harshit.messenger.chat.ChatService';

describe("the gateway's numbers", () => {
  it('tell how calls and requests ended, and what is open', async () => {
    const metrics = new Metrics();
    await using world = await startWorld(behaviour(), { metrics });
    const client = world.chat();
    for (const message of ['hi', 'hi', 'refuse'])
      await send(client, { message }, withToken(world.token())).catch(() => {});
    await send(client, { message: 'hi' }, withToken('a.b.c')).catch(() => {});
    await rawCall(world, { ':path': '/made.up/Thing', authorization: `Bearer ${world.token()}` });
    await rawCall(world, { ':path': `/${CHAT}/MadeUp`, authorization: `Bearer ${world.token()}` });
    for (const path of ['/', '/nothing', '/nothing/else']) await (await fetch(`${world.url}${path}`)).text();
    const stream = client.SendMessagesGRPC(withToken(world.token()));
    stream.on('error', () => {});
    stream.write({ message: 'there' });
    await once(stream, 'data');
    const node = world.messenger.address;
    await untilSaid(metrics, [
      `chatterbox_grpc_calls_total{service="gateway",method="${CHAT}/SendMessage",code="OK"} 2`,
      `chatterbox_grpc_calls_total{service="gateway",method="${CHAT}/SendMessage",code="NOT_FOUND"} 1`,
      `chatterbox_grpc_calls_total{service="gateway",method="${CHAT}/SendMessage",code="UNAUTHENTICATED"} 1`,
      'chatterbox_grpc_calls_total{service="gateway",method="other",code="UNIMPLEMENTED"} 2',
      'chatterbox_grpc_calls_open{service="gateway"} 1',
      'chatterbox_http2_connections{service="gateway"} 1',
      `chatterbox_node_serving{service="gateway",node="${node}"} 1`,
      `chatterbox_node_connections{service="gateway",node="${node}"} 1`,
      'chatterbox_http_responses_total{service="gateway",status="200"} 1',
      'chatterbox_http_responses_total{service="gateway",status="404"} 2',
      'chatterbox_http_seconds_count{service="gateway"} 3',
    ]);
    stream.cancel();
    await untilSaid(metrics, [
      `chatterbox_grpc_calls_total{service="gateway",method="${CHAT}/SendMessagesGRPC",code="CANCELLED"} 1`,
      'chatterbox_grpc_calls_open{service="gateway"} 0',
    ]);
    world.messenger.kill();
    await untilSaid(metrics, [
      `chatterbox_node_serving{service="gateway",node="${node}"} 0`,
      `chatterbox_node_connections{service="gateway",node="${node}"} 0`,
    ]);
  });

  it('tell how often a call was sent again', async () => {
    const metrics = new Metrics();
    let calls = 0;
    await using world = await startWorld(
      {
        SendMessage(_call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) {
          if (++calls === 1) answer(toGrpcStatus(new ServiceError('RECONNECT')));
          else answer(null, {});
        },
      },
      { metrics },
    );
    await send(world.chat(), { message: 'hi', client_id: 'c' }, withToken(world.token()));
    await untilSaid(metrics, ['chatterbox_grpc_replays_total{service="gateway"} 1']);
  });
});

function behaviour() {
  return {
    SendMessage({ request }: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) {
      if (request.message === 'refuse') answer(toGrpcStatus(new ServiceError('NOT_FOUND')));
      else answer(null, {});
    },
    SendMessagesGRPC(call: ServerDuplexStream<Message, Message>) {
      call.on('error', () => {});
      call.on('data', (message: Message) => call.write(message));
    },
  };
}

/** Once all of these lines are there; calls are counted just after their clients know of their end. */
async function untilSaid(metrics: Metrics, lines: string[]): Promise<void> {
  let text = '';
  for (const deadline = performance.now() + 5_000; performance.now() < deadline; await delay(10)) {
    text = await metrics.text();
    const said = text.split('\n');
    if (lines.every((line) => said.includes(line))) return;
  }
  const missing = lines.filter((line) => !text.split('\n').includes(line));
  assert.fail(`${missing.join('\n')}\nnot in\n${text}`);
}
