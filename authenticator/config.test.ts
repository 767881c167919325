import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ConfigError, type Env } from '#common/config.ts';
import { readConfig, readKeysFile } from './config.ts';

/** Given, so that none is made in a folder. */
const SECRET = { CHATTERBOX_SERVICE_SECRET: 'a service secret of 32 characters' };

describe('the authenticator’s configuration', () => {
  it('has defaults that suit one machine', () => {
    assert.deepEqual(readConfig(SECRET), {
      host: '127.0.0.1',
      port: 8081,
      dataDir: './data',
      accountsUrl: 'sqlite:',
      busUrl: 'local:',
      serviceSecret: SECRET.CHATTERBOX_SERVICE_SECRET,
      issuer: 'chatterbox',
      audience: 'chatterbox',
      accessTokenSeconds: 900,
      streamMaxAgeSeconds: 3_600,
      signingKeys: 'data/authenticator/signing-keys.json',
      makesKeys: true,
      loginAttempts: 5,
      trustProxy: [],
      logLevel: 'info',
    });
  });

  it('takes every setting from the environment, and cannot be changed afterwards', () => {
    const config = readConfig({
      ...SECRET,
      DATA_DIR: '/var/lib/chatterbox',
      CHATTERBOX_ACCOUNTS_URL: 'mysql://user:password@db/accounts',
      CHATTERBOX_BUS_URL: 'nats://bus:4222',
      CHATTERBOX_AUTH_HOST: '0.0.0.0',
      CHATTERBOX_AUTH_PORT: '0',
      CHATTERBOX_ISSUER: 'https://id.example.org',
      CHATTERBOX_AUDIENCE: 'chat',
      CHATTERBOX_ACCESS_TOKEN_SECONDS: '60',
      CHATTERBOX_STREAM_MAX_AGE_SECONDS: '120',
      CHATTERBOX_LOGIN_ATTEMPTS: '3',
      CHATTERBOX_TRUST_PROXY: '10.0.0.0/8, 2001:db8::1',
      CHATTERBOX_LOG_LEVEL: 'warn',
    });
    assert.deepEqual(config, {
      host: '0.0.0.0',
      port: 0,
      dataDir: '/var/lib/chatterbox',
      accountsUrl: 'mysql://user:password@db/accounts',
      busUrl: 'nats://bus:4222',
      serviceSecret: SECRET.CHATTERBOX_SERVICE_SECRET,
      issuer: 'https://id.example.org',
      audience: 'chat',
      accessTokenSeconds: 60,
      streamMaxAgeSeconds: 120,
      signingKeys: '/var/lib/chatterbox/authenticator/signing-keys.json',
      makesKeys: true,
      loginAttempts: 3,
      trustProxy: ['10.0.0.0/8', '2001:db8::1'],
      logLevel: 'warn',
    });
    assert.ok(Object.isFrozen(config));
  });

  it('makes no keys where some are mounted', () => {
    const env = { ...SECRET, CHATTERBOX_SIGNING_KEYS: '/run/secrets/keys.json', NODE_ENV: 'production' };
    const { signingKeys, makesKeys } = readConfig(env);
    assert.deepEqual({ signingKeys, makesKeys }, { signingKeys: '/run/secrets/keys.json', makesKeys: false });
    assert.equal(
      readKeysFile({ CHATTERBOX_SIGNING_KEYS: '/run/secrets/keys.json' }),
      '/run/secrets/keys.json',
    );
    assert.equal(readKeysFile({ DATA_DIR: '/d' }), '/d/authenticator/signing-keys.json');
  });

  it('refuses production without keys and secret, and says both', () => {
    assert.deepEqual(problemsOf({ NODE_ENV: 'production' }), [
      'CHATTERBOX_SERVICE_SECRET must be set in production',
      'CHATTERBOX_SIGNING_KEYS must be set in production',
    ]);
  });

  it('lists everything that is wrong at once', () => {
    const problems = problemsOf({
      CHATTERBOX_SERVICE_SECRET: 'short',
      CHATTERBOX_AUTH_PORT: '65536',
      CHATTERBOX_ACCOUNTS_URL: 'mysql://db',
      CHATTERBOX_ACCESS_TOKEN_SECONDS: '0',
      CHATTERBOX_LOGIN_ATTEMPTS: 'many',
      CHATTERBOX_TRUST_PROXY: '10.0.0.0/8, proxy.example.org, 10.0.0.0/33, 0.0.0.0/0',
      CHATTERBOX_LOG_LEVEL: 'loud',
    });
    const names = problems.map((problem) => problem.split(/[ :]/)[0]);
    assert.deepEqual(names, [
      'CHATTERBOX_AUTH_PORT',
      'CHATTERBOX_ACCOUNTS_URL',
      'CHATTERBOX_SERVICE_SECRET',
      'CHATTERBOX_ACCESS_TOKEN_SECONDS',
      'CHATTERBOX_LOGIN_ATTEMPTS',
      'CHATTERBOX_TRUST_PROXY',
      'CHATTERBOX_TRUST_PROXY',
      'CHATTERBOX_TRUST_PROXY',
      'CHATTERBOX_LOG_LEVEL',
    ]);
  });
});

function problemsOf(env: Env): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
}
