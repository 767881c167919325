import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ConfigError } from '#common/config.ts';
import { readConfig } from './config.ts';

const SECRET = 's'.repeat(32);

describe("userinfo's configuration", () => {
  it('meets its neighbours on this machine by default', () => {
    assert.deepEqual(readConfig({ CHATTERBOX_SERVICE_SECRET: SECRET }), {
      host: '127.0.0.1',
      port: 8082,
      dataDir: './data',
      authUrl: 'http://127.0.0.1:8081',
      messenger: '127.0.0.1:9090',
      issuer: 'chatterbox',
      audience: 'chatterbox',
      serviceSecret: SECRET,
      logLevel: 'info',
    });
  });

  it('tells every problem at once', () => {
    const env = {
      CHATTERBOX_SERVICE_SECRET: 'short',
      CHATTERBOX_USERINFO_PORT: '70000',
      CHATTERBOX_AUTH_URL: 'localhost',
      CHATTERBOX_MESSENGER: 'nowhere',
    };
    assert.throws(
      () => readConfig(env),
      (error) =>
        error instanceof ConfigError && Object.keys(env).every((name) => error.message.includes(name)),
    );
  });
});
