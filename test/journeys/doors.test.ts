import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { status } from '@grpc/grpc-js';
import jwt from 'jsonwebtoken';
import { after, before, describe, it } from 'mocha';
import { eventually } from '../outside/eventually.ts';
import { Chat, chatStub, conversationsStub, detailsOf, failure, streamAll, unary } from '../outside/grpc.ts';
import { type Account, call, register } from '../outside/http.ts';
import { type System, startSystem } from '../outside/system.ts';

describe('every door', () => {
  let system: System;
  let ada: Account;
  let bob: Account;
  before(async () => {
    system = await startSystem();
    [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
  });
  after(() => system[Symbol.asyncDispose]());

  /** Each way in, with a token: fulfils with the status that refused it. */
  const doors: Record<string, (token: string | undefined) => Promise<number>> = {
    'GET /auth/me': (token) => http('GET', '/auth/me', token),
    'GET /chat': (token) => http('GET', '/chat?userid=ada', token),
    'GET /chat/friends': (token) => http('GET', '/chat/friends', token),
    SendMessage: (token) =>
      grpc(unary(chatStub(system.url), 'SendMessage', { friend: 'bob', message: 'x' }, { token })),
    StreamMessage: (token) =>
      grpc(streamAll(chatStub(system.url), [{ friend: 'bob', message: 'x' }], { token })),
    SendMessagesGRPC: async (token) => codeOf((await new Chat(chatStub(system.url), { token }).ended).code),
    ListConversations: (token) =>
      grpc(unary(conversationsStub(system.url), 'ListConversations', {}, { token })),
    CountUnread: (token) => grpc(unary(conversationsStub(system.url), 'CountUnread', {}, { token })),
    ListEntries: (token) =>
      grpc(unary(conversationsStub(system.url), 'ListEntries', { conversation: 'ada:bob' }, { token })),
  };
  const http = async (method: string, path: string, token: string | undefined) =>
    (await call(system.url, method, path, token === undefined ? {} : { token })).status;
  const grpc = async (answer: Promise<unknown>) => codeOf((await failure(answer)).code);
  const codeOf = (code: number) => (code === status.UNAUTHENTICATED ? 401 : code);

  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const claims = { sub: 'ada', sid: 'x', iss: 'chatterbox', aud: 'chatterbox' };
  const sign = (more: object, kid: string) =>
    jwt.sign({ ...claims, ...more }, foreign, { algorithm: 'ES256', keyid: kid, expiresIn: 60 });
  const tampered = (token: string) => `${token.slice(0, -6)}AAAAAA`;
  const badTokens: Record<string, () => string | undefined> = {
    'no token': () => undefined,
    'a word': () => 'hello',
    'a token signed by somebody else': () =>
      sign({}, jwt.decode(ada.token, { complete: true })?.header.kid ?? ''),
    'a token with a changed signature': () => tampered(ada.token),
    'a refresh token': () => ada.refreshToken,
    'an unsigned token': () => jwt.sign(claims, '', { algorithm: 'none' }),
    'a huge token': () =>
      `${randomBytes(3_000).toString('base64url')}.${randomBytes(3_000).toString('base64url')}.x`,
  };
  for (const [door, enter] of Object.entries(doors)) {
    for (const [name, token] of Object.entries(badTokens)) {
      it(`${door} stays shut for ${name}`, async () => assert.equal(await enter(token()), 401));
    }
  }

  it('an expired token opens nothing, and an open stream outlives its token', async () => {
    const short = await startSystem({ CHATTERBOX_ACCESS_TOKEN_SECONDS: '3' });
    try {
      const [eve, zoe] = await Promise.all([register(short.url, 'eve'), register(short.url, 'zoe')]);
      const chat = new Chat(chatStub(short.url), { token: eve.token });
      await chat.opened();
      await eventually(async () => {
        assert.equal((await call(short.url, 'GET', '/auth/me', { token: eve.token })).status, 401);
      });
      const refused = await failure(
        unary(chatStub(short.url), 'SendMessage', { friend: 'zoe', message: 'x' }, eve),
      );
      assert.equal(refused.code, status.UNAUTHENTICATED);
      chat.write({ friend: zoe.username, message: 'still here', client_id: '1' });
      assert.equal((await chat.next()).seq, '1');
      await chat.end();
    } finally {
      await short[Symbol.asyncDispose]();
    }
  });

  it('a logout ends the session’s streams within a second, everywhere, and nobody else’s', async () => {
    const eve = await register(system.url, 'eve');
    const [hers, his] = [eve, bob].map(({ token }) => new Chat(chatStub(system.url), { token }));
    await Promise.all([hers!.opened(), his!.opened()]);
    const began = Date.now();
    assert.equal(
      (await call(system.url, 'POST', '/auth/logout', { token: eve.token, json: {} })).status,
      204,
    );
    const end = await hers!.ended;
    assert.ok(Date.now() - began < 1_000);
    assert.deepEqual([end.code, detailsOf(end).reason], [status.UNAUTHENTICATED, 'SESSION_ENDED']);
    // Each service follows the revocations by itself: userinfo may know of it a moment after the messenger.
    for (const [door, enter] of Object.entries(doors))
      await eventually(async () => assert.equal(await enter(eve.token), 401, door));
    his!.write({ friend: 'ada', message: 'still here', client_id: 'his' });
    assert.equal((await his!.next()).client_id, 'his');
    await his!.end();
  });

  it('a password change ends the other sessions, streams included', async () => {
    const uma = await register(system.url, 'uma');
    const other = await call(system.url, 'POST', '/auth/login', {
      json: { username: 'uma', password: 'correct horse uma' },
    });
    const stream = new Chat(chatStub(system.url), { token: other.body.access_token });
    await stream.opened();
    const change = { current: 'correct horse uma', new: 'battery staple uma' };
    assert.equal(
      (await call(system.url, 'POST', '/auth/password', { token: uma.token, json: change })).status,
      204,
    );
    assert.equal((await stream.ended).code, status.UNAUTHENTICATED);
  });

  it('nobody speaks for somebody else', async () => {
    const error = await failure(send({ user: 'bob', friend: 'bob', message: 'x' }));
    assert.equal(error.code, status.PERMISSION_DENIED);
    assert.equal((await call(system.url, 'GET', '/chat?userid=bob', { token: ada.token })).status, 403);
  });

  const bad: [string, object, number, string[]?][] = [
    ['an unknown recipient', { friend: 'nobody-here', message: 'x' }, status.NOT_FOUND],
    ['no recipient', { message: 'x' }, status.INVALID_ARGUMENT, ['friend']],
    [
      'a recipient that is no username',
      { friend: '../etc', message: 'x' },
      status.INVALID_ARGUMENT,
      ['friend'],
    ],
    [
      'friend and conversation',
      { friend: 'bob', conversation: 'ada:bob', message: 'x' },
      status.INVALID_ARGUMENT,
      ['conversation'],
    ],
    ['somebody else’s conversation', { conversation: 'bob:cleo', message: 'x' }, status.NOT_FOUND],
    [
      'a conversation that is no id',
      { conversation: "'; DROP TABLE entry; --", message: 'x' },
      status.NOT_FOUND,
    ],
    ['an empty message', { friend: 'bob', message: '' }, status.INVALID_ARGUMENT, ['message']],
    ['8,001 characters', { friend: 'bob', message: 'x'.repeat(8_001) }, status.INVALID_ARGUMENT, ['message']],
    [
      '8,001 characters of four bytes',
      { friend: 'bob', message: '😀'.repeat(8_001) },
      status.INVALID_ARGUMENT,
      ['message'],
    ],
    ['a message over 64 KiB', { friend: 'bob', message: 'x'.repeat(70_000) }, status.INVALID_ARGUMENT],
    [
      'a client id with a space',
      { friend: 'bob', message: 'x', client_id: 'a b' },
      status.INVALID_ARGUMENT,
      ['client_id'],
    ],
    [
      'a client id that is too long',
      { friend: 'bob', message: 'x', client_id: 'x'.repeat(65) },
      status.INVALID_ARGUMENT,
      ['client_id'],
    ],
  ];
  for (const [what, message, code, fields] of bad) {
    it(`${what} is refused with a status that says so`, async () => {
      const error = await failure(send(message));
      assert.deepEqual(
        [error.code, detailsOf(error).domain, detailsOf(error).fields],
        [code, 'chatterbox', fields],
      );
    });
  }

  for (const [what, text] of [
    ['8,000 characters of four bytes', '😀'.repeat(8_000)],
    ['a null character', 'a\u0000b'],
    ['zero-width and right-to-left marks', '\u200b\u202e'],
  ] as const) {
    it(`${what} go through unchanged`, async () => {
      const { seq } = await send({ friend: 'bob', message: text });
      const request = { conversation: 'ada:bob', after_seq: String(Number(seq) - 1) };
      const { entries } = await unary(conversationsStub(system.url), 'ListEntries', request, bob);
      assert.equal(entries[0].message.text, text);
    });
  }

  const toBob = (tag: number, text: Buffer) =>
    Buffer.concat([field(tag, Buffer.from('bob')), field(3, text)]);
  const texts: Record<string, (text: Buffer) => Buffer> = {
    '/org.harshit.messenger.chat.ChatService/SendMessage': (text) => toBob(2, text),
    '/org.harshit.messenger.chat.ChatService/StreamMessage': (text) => toBob(2, text),
    '/org.harshit.messenger.chat.ChatService/SendMessagesGRPC': (text) => toBob(2, text),
    '/chatterbox.v1.SessionService/Send': (text) => toBob(1, text),
    '/chatterbox.v1.SessionService/Session': (text) =>
      Buffer.concat([field(1, field(1, Buffer.from('phone'))), field(3, toBob(1, text))]),
    '/chatterbox.v1.ConversationsService/ListConversations': (text) => field(2, text),
    '/chatterbox.v1.ConversationsService/ListEntries': (text) => field(1, text),
    '/chatterbox.v1.ConversationsService/MarkRead': (text) => field(1, text),
  };
  for (const [path, bytesOf] of Object.entries(texts)) {
    it(`${path} refuses text that is not UTF-8 and bytes that are no message`, async () => {
      const notUtf8 = ['c328', 'ff', 'e9', 'eda080', 'c0af', 'f09f98', 'f4908080'].map((hex) =>
        Buffer.from(hex, 'hex'),
      );
      for (const bytes of [...notUtf8.map(bytesOf), Buffer.from([0xff, 0xff, 0xff])]) {
        const trailers = await rawCall(system.url, ada.token, bytes, path);
        assert.equal(trailers['grpc-status'], String(status.INVALID_ARGUMENT), bytes.toString('hex'));
        assert.match(decodeURIComponent(String(trailers['grpc-message'])), /text in UTF-8/);
      }
    });
  }

  it('a flood is refused with RESOURCE_EXHAUSTED and how long to wait, and StreamMessage is slowed down instead', async () => {
    const slow = await startSystem({ CHATTERBOX_SEND_RATE: '50', CHATTERBOX_SEND_BURST: '5' });
    try {
      const [eve] = await Promise.all([register(slow.url, 'eve'), register(slow.url, 'zoe')]);
      const message = { friend: 'zoe', message: 'x' };
      const stub = chatStub(slow.url);
      const sends = await Promise.allSettled(
        Array.from({ length: 20 }, () => unary(stub, 'SendMessage', message, eve)),
      );
      const refused = sends.filter((s) => s.status === 'rejected').map((s) => s.reason);
      assert.ok(refused.length >= 10);
      for (const error of refused) {
        assert.equal(error.code, status.RESOURCE_EXHAUSTED);
        assert.ok((detailsOf(error).retryDelayMs ?? 0) > 0);
      }
      const all = await streamAll(
        stub,
        Array.from({ length: 20 }, () => message),
        eve,
      );
      assert.deepEqual([all.committed, all.failed], [20, 0]);
    } finally {
      await slow[Symbol.asyncDispose]();
    }
  });

  it('what is internal is unknown at the gateway, listed or called', async () => {
    const trailers = await rawCall(
      system.url,
      ada.token,
      Buffer.alloc(0),
      '/chatterbox.internal.v1.CommitFeedService/Follow',
    );
    assert.equal(trailers['grpc-status'], String(status.UNIMPLEMENTED));
    assert.equal((await call(system.url, 'GET', '/internal/users/ada', { token: ada.token })).status, 404);
  });

  const send = (message: object) => unary(chatStub(system.url), 'SendMessage', message, ada);
});

/** A field of a protobuf that is text, bytes or a message, of less than 128 bytes. */
function field(tag: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(tag << 3) | 2, value.length]), value]);
}

/** A gRPC call of any bytes; gives the trailers (or the headers of a trailers-only answer). */
async function rawCall(
  url: string,
  token: string,
  message: Buffer,
  path = '/org.harshit.messenger.chat.ChatService/SendMessage',
): Promise<IncomingHttpHeaders> {
  const session = connect(url);
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${token}`,
  });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  let last: IncomingHttpHeaders = {};
  stream.on('response', (headers) => {
    last = headers;
  });
  stream.on('trailers', (headers) => {
    last = headers;
  });
  stream.resume().end(Buffer.concat([prefix, message]));
  await new Promise((resolve) => stream.on('close', resolve));
  session.close();
  return last;
}
