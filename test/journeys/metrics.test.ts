import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { freePorts } from '../../scripts/processes.ts';
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
