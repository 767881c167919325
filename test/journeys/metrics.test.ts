import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { readConfig as readAuthenticatorConfig } from '../../authenticator/config.ts';
import { startAuthenticator } from '../../authenticator/service.ts';
import { Metrics } from '../../common/metrics.ts';
import { newDatabase } from '../../common/mysql/fixtures/database.ts';
import { readConfig as readMessengerConfig } from '../../messenger/config.ts';
import { startMessenger } from '../../messenger/service.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { MYSQL, withoutEngine } from '../outside/engines.ts';
import { chatStub, failure, Session, sessionStub, unary } from '../outside/grpc.ts';
import { call, login, register } from '../outside/http.ts';
import { startSystem } from '../outside/system.ts';

describe('the numbers of the whole system in one process', () => {
  it('are shown on the admin port, each with its service, and not on the public one', async () => {
    const [port] = await freePorts(1);
    await using system = await startSystem({ CHATTERBOX_ADMIN_PORT: String(port) });
    await register(system.url, 'ada');
    const { token } = await login(system.url, 'ada');
    const wrong = { username: 'ada', password: 'not the password' };
    assert.equal((await call(system.url, 'POST', '/auth/login', { json: wrong })).status, 401);
    assert.equal((await call(system.url, 'GET', '/chat/friends', { token })).status, 200);
    assert.equal((await call(system.url, 'GET', '/metrics')).status, 404);

    const lines = (await call(`http://127.0.0.1:${port}`, 'GET', '/metrics')).body.split('\n');
    for (const line of [
      'chatterbox_logins_refused_total{service="authenticator",reason="BAD_CREDENTIALS"} 1',
      'chatterbox_http_responses_total{service="authenticator",status="201"} 1',
      'chatterbox_http_responses_total{service="userinfo",status="200"} 1',
      'chatterbox_http_responses_total{service="gateway",status="401"} 1',
    ])
      assert.ok(lines.includes(line), `${line}\nis not in\n${lines.join('\n')}`);
    const lag = lines.find((line: string) => line.startsWith('chatterbox_event_loop_lag_seconds{'));
    assert.ok(lag !== undefined);
  });
});

describe('the numbers of a messenger', () => {
  it('count sends by what became of them, their batches, acknowledgements and who is here', async () => {
    const metrics = new Metrics();
    await using system = await startSystem({}, { messenger: { metrics } });
    const [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    const device = new Session(sessionStub(system.url), { token: bob.token }, { open: { device: 'phone' } });
    await device.caughtUp();
    const send = (message: string) =>
      unary(chatStub(system.url), 'SendMessage', { friend: 'bob', message, client_id: 'once' }, ada);
    const { conversation, seq } = await send('hello');
    await send('hello');
    await failure(send('something else'));
    await device.entries(1);
    device.write({ acks: [{ conversation, seq }], ping: { number: 1 } });
    await device.until(({ pong }) => pong !== null);

    const values = numbersIn(await metrics.text());
    assert.deepEqual(
      [
        values('sends_total', 'committed'),
        values('sends_total', 'repeated'),
        values('sends_total', 'failed'),
        values('batch_rows_count'),
        values('batch_rows_sum'),
        values('commit_seconds_count'),
        values('acks_total'),
        values('sessions'),
        values('lane_queue_depth'),
        values('window_full_total'),
      ],
      [1, 2, 0, 3, 3, 3, 1, 1, 0, 0],
    );
    await device.cut();
  });

  it('tell of devices that do not keep up', async () => {
    const metrics = new Metrics();
    await using system = await startSystem({}, { messenger: { metrics } });
    const [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    const device = new Session(sessionStub(system.url), { token: bob.token }, { open: { device: 'phone' } });
    await device.caughtUp();
    device.pause();
    const stub = chatStub(system.url);
    const message = '\u{1F4AC}'.repeat(7_000);
    const windowsFull = async () => numbersIn(await metrics.text())('window_full_total') ?? 0;
    for (let sent = 0; sent < 900 && (await windowsFull()) === 0; sent++)
      await unary(stub, 'SendMessage', { friend: 'bob', message }, ada);
    assert.equal(await windowsFull(), 1);
    await device.cut();
  });

  if (MYSQL === undefined) it(`tell of other nodes and of the pool (${withoutEngine('MySQL')})`);
  else {
    const server = MYSQL;
    it('tell of news that came by the journal first, and of the pool', async () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
      await using running = new AsyncDisposableStack();
      running.defer(() => rmSync(dataDir, { recursive: true }));
      const database = running.use(await newDatabase(server));
      const env = {
        CHATTERBOX_LOG_LEVEL: 'fatal',
        DATA_DIR: dataDir,
        CHATTERBOX_MESSAGES_URL: database.url,
      };
      const { url } = running.use(
        await startAuthenticator({ ...readAuthenticatorConfig(env), host: '127.0.0.1', port: 0 }),
      );
      const metrics = new Metrics();
      const config = { ...readMessengerConfig({ ...env, CHATTERBOX_AUTH_URL: url }), port: 0 };
      const one = running.use(await startMessenger(config));
      const other = running.use(await startMessenger(config, { metrics }));
      const [ada, bob] = await Promise.all([register(url, 'ada'), register(url, 'bob')]);
      const device = new Session(
        sessionStub(other.address),
        { token: bob.token },
        { open: { device: 'phone' } },
      );
      await device.caughtUp();
      await unary(chatStub(one.address), 'SendMessage', { friend: 'bob', message: 'hello' }, ada);
      await device.entries(1);
      const values = numbersIn(await metrics.text());
      assert.deepEqual(
        [values('hints_repaired_total'), values('hints_lost_total'), values('pool_connections', 'waiting')],
        [1, 0, 0],
      );
      assert.ok((values('pool_connections', 'busy') ?? -1) >= 0);
      await device.cut();
    });
  }
});

/** The messenger's number of that name, with that value of its label. */
function numbersIn(text: string): (name: string, label?: string) => number | undefined {
  return (name, label) => {
    const line = text
      .split('\n')
      .find(
        (one) =>
          one.startsWith(`chatterbox_${name}{service="messenger"`) &&
          (label === undefined || one.includes(`="${label}"`)),
      );
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
}
