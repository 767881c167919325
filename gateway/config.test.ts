import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ConfigError } from '#common/config.ts';
import { readConfig } from './config.ts';

const SECRET = { CHATTERBOX_SERVICE_SECRET: 'a service secret of 32 characters' };

describe("the gateway's settings", () => {
  it('have defaults that serve this machine only', () => {
    const { host, port, corsOrigins, trustedProxies } = readConfig(SECRET);
    assert.deepEqual([host, port, corsOrigins, trustedProxies], ['127.0.0.1', 8080, [], []]);
  });

  it('take one messenger or several', () => {
    assert.deepEqual(readConfig(SECRET).messengers, ['127.0.0.1:9090']);
    const several = { ...SECRET, CHATTERBOX_MESSENGER: 'messenger-1:9090, [::1]:9091,messenger-1:9090' };
    assert.deepEqual(readConfig(several).messengers, ['messenger-1:9090', '[::1]:9091']);
  });

  it('take origins and networks', () => {
    const config = readConfig({
      ...SECRET,
      CHATTERBOX_CORS_ORIGINS: 'https://a.example, http://localhost:3000',
      CHATTERBOX_TRUST_PROXY: '10.0.0.0/8,::1',
    });
    assert.deepEqual(config.corsOrigins, ['https://a.example', 'http://localhost:3000']);
    assert.deepEqual(config.trustedProxies, ['10.0.0.0/8', '::1']);
  });

  for (const [name, value] of [
    ['CHATTERBOX_CORS_ORIGINS', '*'],
    ['CHATTERBOX_CORS_ORIGINS', 'https://a.example/'],
    ['CHATTERBOX_CORS_ORIGINS', 'https://*.example'],
    ['CHATTERBOX_TRUST_PROXY', 'true'],
    ['CHATTERBOX_TRUST_PROXY', '10.0.0.0/33'],
    ['CHATTERBOX_MESSENGER', 'messenger-1:9090,messenger-2'],
    ['CHATTERBOX_MESSENGER', '::1:9090'],
  ] as const) {
    it(`refuse ${value} as ${name}`, () => {
      assert.throws(
        () => readConfig({ ...SECRET, [name]: value }),
        (error) => error instanceof ConfigError && error.problems.some((p) => p.includes(name)),
      );
    });
  }
});
