import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { startAdminServer } from './admin.ts';
import { Metrics } from './metrics.ts';

describe('the admin port', () => {
  it('says that the process lives, what it waits for, and its numbers; and nothing else', async () => {
    let missing = ['MySQL (messages)'];
    await using server = await startAdminServer({ host: '127.0.0.1', port: 0 }, new Metrics(), () => missing);
    const ask = async (path: string) => {
      const response = await fetch(`${server.url}${path}`);
      return [response.status, await response.text()];
    };
    assert.deepEqual(await ask('/healthz'), [200, '{"status":"ok"}']);
    assert.deepEqual(await ask('/readyz'), [503, '{"status":"not ready","missing":["MySQL (messages)"]}']);
    missing = [];
    assert.deepEqual(await ask('/readyz'), [200, '{"status":"ready","missing":[]}']);
    assert.equal((await ask('/metrics'))[0], 200);
    for (const path of ['/', '/constructor', '/metrics/']) assert.equal((await ask(path))[0], 404);
  });
});
