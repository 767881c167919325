import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { describe, it } from 'mocha';
import { hasClientId } from './client-id.ts';

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
    assert.ok(hasClientId(SEND, framed({ ...full, client_id: 'c1' })));
    assert.ok(hasClientId(SEND, framed({ client_id: 'c' })));
  });

  it('is not seen where there is none, in no other call, and not in half a message', () => {
    assert.ok(!hasClientId(SEND, framed(full)));
    assert.ok(!hasClientId(SEND, framed({ message: 'client_id' })));
    assert.ok(!hasClientId(SEND.replace('SendMessage', 'StreamMessage'), framed({ client_id: 'c' })));
    const whole = framed({ ...full, client_id: 'c1' });
    for (let length = 0; length < whole.length; length++)
      assert.ok(!hasClientId(SEND, whole.subarray(0, length)), `${length} bytes`);
  });

  it('is not looked for in noise', () => {
    for (const bytes of [
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      [0x2a, 0x05, 0x61],
      [0x2b],
      [0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ])
      assert.ok(!hasClientId(SEND, frame(Buffer.from(bytes))), String(bytes));
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
