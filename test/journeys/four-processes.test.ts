import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import { Processes } from '../../scripts/processes.ts';
import { eventually } from '../outside/eventually.ts';
import { Chat, chatStub, detailsOf, failure, unary } from '../outside/grpc.ts';
import { type Account, call, passwordOf, register } from '../outside/http.ts';

describe('four services as processes', function () {
  this.timeout(60_000);
  const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  let system: Processes;
  let ada: Account;
  let bob: Account;
  before(async () => {
    system = await Processes.prepare({ env: { DATA_DIR: dataDir, CHATTERBOX_LOG_LEVEL: 'fatal' } });
  });
  after(async () => {
    await system[Symbol.asyncDispose]();
    rmSync(dataDir, { recursive: true });
  });

  const send = (message: string) =>
    unary(
      chatStub(system.url),
      'SendMessage',
      { friend: 'bob', message, client_id: message.replaceAll(' ', '-') },
      { token: ada.token },
    );
  const lastChat = async () =>
    (await call(system.url, 'GET', '/chat?userid=ada', { token: ada.token })).body.contact_list_[0]?.lastChat;
  const login = () =>
    call(system.url, 'POST', '/auth/login', { json: { username: 'ada', password: passwordOf('ada') } });

  it('start in any order, and say what they wait for until they have found each other', async () => {
    system.start('gateway', 'userinfo', 'messenger');
    await system.untilMissing('authenticator');
    system.start('authenticator');
    await system.untilMissing();
    [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    assert.equal((await send('first')).seq, '1');
  });

  it('with userinfo stopped people chat on, and it catches up when it is back', async () => {
    assert.equal(await system.stop('userinfo'), 0);
    const { sent_at } = await send('while userinfo is away');
    const refused = await call(system.url, 'GET', '/chat?userid=ada', { token: ada.token });
    assert.equal(refused.status, 503);
    assert.equal(refused.body.reason, 'UNAVAILABLE');
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    await system.untilMissing('userinfo');
    system.start('userinfo');
    await system.untilMissing();
    const expected = new Date(Number(sent_at)).toISOString();
    await eventually(async () => assert.equal(await lastChat(), expected));
  });

  it('with the authenticator stopped whoever is logged in chats on, and logging in answers 503', async () => {
    assert.equal(await system.stop('authenticator'), 0);
    assert.equal((await send('while the authenticator is away')).seq, '3');
    const refused = await login();
    assert.deepEqual([refused.status, refused.body.reason], [503, 'UNAVAILABLE']);
    await system.untilMissing('authenticator');
    system.start('authenticator');
    await system.untilMissing();
    assert.equal((await login()).status, 200);
  });

  it('with the messenger killed sends are UNAVAILABLE with a delay, streams end, and nothing that was acknowledged is lost', async () => {
    const stream = new Chat(chatStub(system.url), { token: bob.token });
    await stream.take(3);
    await system.stop('messenger', 'SIGKILL');
    const end = await stream.ended;
    assert.equal(end.code, status.UNAVAILABLE);
    const refused = await failure(
      unary(chatStub(system.url), 'SendMessage', { friend: 'bob', message: 'x' }, ada),
    );
    assert.equal(refused.code, status.UNAVAILABLE);
    assert.ok((detailsOf(refused).retryDelayMs ?? 0) > 0);
    await system.untilMissing('messenger');
    system.start('messenger');
    await system.untilMissing();
    assert.equal((await send('first')).seq, '1', 'a retry gets its first answer');
    const again = new Chat(chatStub(system.url), { token: bob.token });
    assert.deepEqual(
      (await again.take(3)).map((m) => m.seq),
      ['1', '2', '3'],
    );
    await again.end();
  });

  it('stop with 0 when they are told to', async () => {
    assert.deepEqual(await system.stopAll(), [0, 0, 0, 0]);
  });
});
