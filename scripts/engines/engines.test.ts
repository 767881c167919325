import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'mocha';
import { ENGINES } from './engines.ts';

describe('the real engines', () => {
  for (const engine of ENGINES) {
    it(`${engine.name} starts, comes back on the same port after a kill, and leaves nothing running`, async function () {
      this.timeout(120_000);
      // Elsewhere in the suite its absence shows as pending too; here it is for the person who wants to have it.
      if (!engine.isInstalled()) this.skip();
      const running = await engine.start();
      const { url, pid } = running;
      await running.kill();
      await assert.rejects(reach(url), { code: 'ECONNREFUSED' });
      assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
      await running.restart();
      await reach(url);
      assert.equal(running.url, url);
      await running[Symbol.asyncDispose]();
      await assert.rejects(reach(url), { code: 'ECONNREFUSED' });
    });
  }
});

async function reach(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
