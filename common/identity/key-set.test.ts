import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'mocha';
import { ServiceError } from '../errors.ts';
import { startHttpServer } from '../http/server.ts';
import { RemoteKeySet } from './key-set.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const JWKS = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'ours' }] });

const because = (reason: string) => (error: unknown) =>
  error instanceof ServiceError && error.reason === reason;

describe("the authenticator's keys", () => {
  it('that are being fetched are waited for', async () => {
    await using server = await startHttpServer((_request, response) => response.end(JWKS), '127.0.0.1', 0);
    const keys = new RemoteKeySet(server.url);
    const loading = keys.load();
    assert.ok((await keys.get('ours')).equals(publicKey));
    await loading;
  });

  it('are waited for where the authenticator comes a moment later', async () => {
    let asked = 0;
    const answer = () => (++asked < 3 ? 'not yet' : JWKS);
    await using server = await startHttpServer(
      (_request, response) => response.end(answer()),
      '127.0.0.1',
      0,
    );
    const keys = new RemoteKeySet(server.url);
    await assert.rejects(keys.load());
    assert.ok((await keys.get('ours')).equals(publicKey));
  });

  it('know their own from strange ones', async () => {
    await using server = await startHttpServer((_request, response) => response.end(JWKS), '127.0.0.1', 0);
    await assert.rejects(new RemoteKeySet(server.url).get('strange'), because('UNAUTHENTICATED'));
  });

  it('that were never fetched leave it open whether a token is good, however often it is asked', async () => {
    const keys = new RemoteKeySet('http://127.0.0.1:1/');
    await assert.rejects(keys.get('ours'), because('UNAVAILABLE'));
    await assert.rejects(keys.get('ours'), because('UNAVAILABLE'));
  });
});
