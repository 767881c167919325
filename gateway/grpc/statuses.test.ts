import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import { REASONS, type Reason } from '#common/errors.ts';
import { rawCall, reasonOf } from '../fixtures/raw-call.ts';
import { startWorld, type World } from '../fixtures/world.ts';

const CHAT = '/org.harshit.messenger.chat.ChatService';

describe('the status of every call that a library ends', () => {
  let world: World;
  before(async () => {
    world = await startWorld({ SendMessage() {} });
  });
  after(() => world[Symbol.asyncDispose]());

  const cases: [string, Reason, number, Record<string, string>, Buffer?][] = [
    ['a message of 300 KB', 'PAYLOAD_TOO_LARGE', status.INVALID_ARGUMENT, {}, framed(300_000)],
    ['gzip that is none', 'INTERNAL', status.INTERNAL, { 'grpc-encoding': 'gzip' }, framed(10, 1)],
    [
      'an unknown compression',
      'UNIMPLEMENTED',
      status.UNIMPLEMENTED,
      { 'grpc-encoding': 'xz' },
      framed(9, 1),
    ],
    [
      'two messages in one unary call',
      'UNIMPLEMENTED',
      status.UNIMPLEMENTED,
      {},
      Buffer.concat([framed(0), framed(0)]),
    ],
    ['no message in a unary call', 'UNIMPLEMENTED', status.UNIMPLEMENTED, {}],
    ['a message that is no protobuf', 'INTERNAL', status.INTERNAL, {}, framed(7, 0, 0xff)],
    ['a deadline', 'DEADLINE_EXCEEDED', status.DEADLINE_EXCEEDED, { 'grpc-timeout': '50m' }, framed(0)],
    ['an unknown method', 'UNIMPLEMENTED', status.UNIMPLEMENTED, { ':path': `${CHAT}/Nothing` }, framed(0)],
    ['an unknown service', 'UNIMPLEMENTED', status.UNIMPLEMENTED, { ':path': '/no.Service/X' }, framed(0)],
  ];
  for (const [what, reason, code, headers, body] of cases)
    it(`is ours after ${what}: ${reason}`, async () => {
      const trailers = await rawCall(world, { authorization: `Bearer ${world.token()}`, ...headers }, body);
      assert.equal(reasonOf(trailers), reason);
      assert.equal(Number(trailers['grpc-status']), code);
      assert.equal(decodeURIComponent(String(trailers['grpc-message'])), REASONS[reason].title);
    });

  it('is ours whatever case the content type is written in', async () => {
    const trailers = await rawCall(
      world,
      {
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'Application/GRPC',
      },
      framed(0),
    );
    assert.equal(Number(trailers['grpc-status']), status.OK);
  });
});

function framed(size: number, flag = 0, fill = 0): Buffer {
  const message = Buffer.alloc(5 + size, fill);
  message.writeUInt8(flag);
  message.writeUInt32BE(size, 1);
  return message;
}
