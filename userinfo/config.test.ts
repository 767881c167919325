import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ConfigError } from '#common/config.ts';
import { readConfig } from './config.ts';

const SECRET = 'a service secret of 32 characters';

describe("userinfo's configuration", () => {
  it('meets its neighbours on this machine by default', () => {
    assert.deepEqual(readConfig({ CHATTERBOX_SERVICE_SECRET: SECRET }), {
      host: '127.0.0.1',
      port: 8082,
      dataDir: './data',
      authUrl: 'http://127.0.0.1:8081',
      messengers: ['127.0.0.1:9090'],
      issuer: 'chatterbox',
      audience: 'chatterbox',
      serviceSecret: SECRET,
      graphUrl: 'sqlite:',
      quotas: {
        search: { calls: 30, seconds: 60 },
        requests: { calls: 60, seconds: 3_600 },
        calls: { calls: 200, seconds: 4 },
      },
      logLevel: 'info',
    });
  });

  it('takes a Neo4j for the graph, with and without TLS and a database, and shows no password', () => {
    const read = (url: string) =>
      readConfig({ CHATTERBOX_SERVICE_SECRET: SECRET, CHATTERBOX_GRAPH_URL: url }).graphUrl;
    for (const url of [
      'neo4j://neo4j:secret@graph:7687',
      'bolt://neo4j:secret@graph',
      'neo4j+s://neo4j:secret@graph/people',
      'bolt+s://neo4j:secret@[::1]:7687/',
    ])
      assert.equal(read(url), url);
    for (const url of ['http://neo4j:secret@graph', 'neo4j:', 'bolt://', 'secret'])
      assert.throws(
        () => read(url),
        (error) =>
          error instanceof ConfigError &&
          /CHATTERBOX_GRAPH_URL must be/.test(error.message) &&
          !error.message.includes('secret'),
      );
  });

  it('tells every problem at once', () => {
    const env = {
      CHATTERBOX_SERVICE_SECRET: 'short',
      CHATTERBOX_USERINFO_PORT: '70000',
      CHATTERBOX_AUTH_URL: 'localhost',
      CHATTERBOX_MESSENGER: 'nowhere',
      CHATTERBOX_GRAPH_URL: 'mysql://host/graph',
    };
    assert.throws(
      () => readConfig(env),
      (error) =>
        error instanceof ConfigError && Object.keys(env).every((name) => error.message.includes(name)),
    );
  });
});
