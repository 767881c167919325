import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { describe, it } from 'mocha';
import { isRepeatable } from './repeatable.ts';

const SEND = '/org.harshit.messenger.chat.ChatService/SendMessage';

const DESCRIPTORS = readFileSync(new URL('../../proto/gen/public.binpb', import.meta.url));
const packages = loadFileDescriptorSetFromBuffer(DESCRIPTORS, { keepCase: true });
const chat = packages['org.harshit.messenger.chat.ChatService'] as Record<
  string,
  MethodDefinition<object, object>
>;
const serialize = (message: object) => chat.SendMessage!.requestSerialize(message);

describe('the client_id in a request that is not decoded', () => {
  const full = { user: 'ada', friend: 'bob', message: 'x'.repeat(300), timestamp: '1700000000000' };

  it('is seen where there is one', () => {
    assert.ok(isRepeatable(SEND, framed({ ...full, client_id: 'c1' })));
    assert.ok(isRepeatable(SEND, framed({ client_id: 'c' })));
  });

  it('is not seen where there is none, in no other call, and not in half a message', () => {
    assert.ok(!isRepeatable(SEND, framed(full)));
    assert.ok(!isRepeatable(SEND, framed({ message: 'client_id' })));
    assert.ok(!isRepeatable(SEND.replace('SendMessage', 'StreamMessage'), framed({ client_id: 'c' })));
    const whole = framed({ ...full, client_id: 'c1' });
    for (let length = 0; length < whole.length; length++)
      assert.ok(!isRepeatable(SEND, whole.subarray(0, length)), `${length} bytes`);
  });

  it('is looked for in its own field in either service', () => {
    const [text, clientId] = [
      [0x1a, 1, 0x63],
      [0x22, 1, 0x63],
    ].map((bytes) => frame(Buffer.from(bytes)));
    assert.ok(isRepeatable('/chatterbox.v1.SessionService/Send', clientId!));
    assert.ok(!isRepeatable('/chatterbox.v1.SessionService/Send', text!));
    assert.ok(!isRepeatable(SEND, clientId!));
  });

  it('is not needed where nothing changes the second time', () => {
    for (const method of ['ListConversations', 'ListEntries', 'CountUnread', 'MarkRead'])
      assert.ok(
        isRepeatable(`/chatterbox.v1.ConversationsService/${method}`, frame(Buffer.alloc(0))),
        method,
      );
    assert.ok(!isRepeatable('/chatterbox.v1.ConversationsService/CreateGroup', frame(Buffer.alloc(0))));
  });

  it('is not looked for in noise', () => {
    for (const bytes of [
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      [0x2a, 0x05, 0x61],
      [0x2b],
      [0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ])
      assert.ok(!isRepeatable(SEND, frame(Buffer.from(bytes))), String(bytes));
  });
});

function framed(message: Record<string, unknown>): Buffer {
  return frame(serialize(message));
}

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
