import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readConfig as readAuthenticatorConfig } from '../../authenticator/config.ts';
import { type Authenticator, startAuthenticator } from '../../authenticator/service.ts';
import { readConfig as readMessengerConfig } from '../../messenger/config.ts';
import { type Messenger, startMessenger } from '../../messenger/service.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { readConfig as readUserinfoConfig } from '../../userinfo/config.ts';
import { startUserinfo } from '../../userinfo/service.ts';
import { EngineProxy } from '../faults/world/engine-proxy.ts';
import {
  Chat,
  chatStub,
  conversationsStub,
  detailsOf,
  failure,
  Session,
  sessionStub,
  unary,
} from '../outside/grpc.ts';
import { type Account, call, login, register } from '../outside/http.ts';

describe('the streams of a messenger that follows the authenticator', function () {
  this.timeout(30_000);
  let dataDir: string;
  let env: Record<string, string>;
  let authenticator: Authenticator;
  let proxy: EngineProxy;
  let messenger: Messenger;
  let parts: AsyncDisposableStack;
  /** What the authenticator's clock is ahead of the machine's, ms. */
  let ahead: number;

  beforeEach(async () => {
    parts = new AsyncDisposableStack();
    dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    parts.defer(() => rmSync(dataDir, { recursive: true }));
    const [port] = await freePorts(1);
    env = {
      DATA_DIR: dataDir,
      CHATTERBOX_LOG_LEVEL: 'fatal',
      CHATTERBOX_AUTH_PORT: `${port}`,
      CHATTERBOX_MESSENGER_PORT: '0',
      CHATTERBOX_USERINFO_PORT: '0',
    };
    ahead = 0;
    await startAuthentication();
    parts.defer(() => authenticator[Symbol.asyncDispose]());
    proxy = parts.use(await EngineProxy.start(authenticator.url));
    env.CHATTERBOX_AUTH_URL = proxy.url;
    messenger = parts.use(await startMessenger(readMessengerConfig(env)));
    await until(() => messenger.missing().length === 0);
  });
  afterEach(() => parts.disposeAsync());

  async function startAuthentication(): Promise<void> {
    authenticator = await startAuthenticator(readAuthenticatorConfig(env), {
      clock: () => Date.now() + ahead,
    });
  }

  const logout = ({ token }: Account) => call(authenticator.url, 'POST', '/auth/logout', { token });

  /** Both kinds, each open and told what there is. */
  async function openStreams({ token }: Account): Promise<{ ended: Chat['ended'] }[]> {
    const chat = new Chat(chatStub(messenger.address), { token, metadata: { 'chatterbox-device': 'chat' } });
    await chat.opened();
    const session = new Session(sessionStub(messenger.address), { token }, { open: { device: 'session' } });
    await session.caughtUp();
    return [chat, session];
  }

  async function reasons(streams: { ended: Chat['ended'] }[]): Promise<(string | undefined)[]> {
    return Promise.all(streams.map(async ({ ended }) => detailsOf(await ended).reason));
  }

  it('end when it comes back from being cut off, though the tokens of their session have expired since its end', async () => {
    const [ada, bob] = await Promise.all([
      register(authenticator.url, 'ada'),
      register(authenticator.url, 'bob'),
    ]);
    const streams = await openStreams(ada);
    const others = await openStreams(bob);
    proxy.refuse();
    assert.equal((await logout(ada)).status, 204);
    ahead += 20 * 60_000;
    // Whoever logs in makes the authenticator forget what nobody needs.
    const again = await login(authenticator.url, 'bob');
    proxy.admit();
    assert.deepEqual(await reasons(streams), ['SESSION_ENDED', 'SESSION_ENDED']);
    // They stay: they were ended by their own logout alone.
    await call(authenticator.url, 'POST', '/auth/logout', { token: again.token, json: { all: true } });
    assert.deepEqual(await reasons(others), ['SESSION_ENDED', 'SESSION_ENDED']);
  });

  it('begin anew when the accounts were restored from a backup, and it hears of who logs out after that', async () => {
    const userinfo = parts.use(await startUserinfo(readUserinfoConfig(env)));
    const names = ['ada', 'bob', 'cat', 'dan'];
    const [ada, ...others] = await Promise.all(names.map((name) => register(authenticator.url, name)));
    assert.ok(ada);
    const accounts = join(dataDir, 'authenticator', 'accounts.db');
    const backup = join(dataDir, 'backup.db');
    await authenticator[Symbol.asyncDispose]();
    copyFileSync(accounts, backup);
    await startAuthentication();
    const found = async (name: string) => {
      const { body } = await call(userinfo.url, 'GET', `/chat/people?query=${name}`, { token: ada.token });
      return body.people?.length === 1;
    };

    const late = [];
    for (const name of ['eve', 'fay', 'gus']) late.push(await register(authenticator.url, name));
    for (const { username } of late) await until(() => found(username));
    for (const one of others) {
      const streams = await openStreams(one);
      await logout(one);
      assert.deepEqual(await reasons(streams), ['SESSION_ENDED', 'SESSION_ENDED']);
    }

    let streams = await openStreams(ada);
    await authenticator[Symbol.asyncDispose]();
    copyFileSync(backup, accounts);
    await startAuthentication();
    assert.deepEqual(await reasons(streams), ['RECONNECT', 'RECONNECT']);

    streams = await openStreams(ada);
    for (const { token } of others) {
      const refused = await failure(
        unary(conversationsStub(messenger.address), 'CountUnread', {}, { token }),
      );
      assert.equal(detailsOf(refused).reason, 'UNAUTHENTICATED', 'what was revoked stays so');
    }
    await register(authenticator.url, 'ida');
    await until(() => found('ida'));
    await logout(ada);
    assert.deepEqual(await reasons(streams), ['SESSION_ENDED', 'SESSION_ENDED']);
  });
});

/** The test's own time-out ends it. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(10);
}
