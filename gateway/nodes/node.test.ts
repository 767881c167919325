import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it } from 'mocha';
import { LIMITS } from '../limits.ts';
import { Node } from './node.ts';

describe('a messenger that does not answer', () => {
  it('is left without a timer in the past, however late the silence is noticed', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const abandoned = Promise.withResolvers<void>();
    const { port } = silent.address() as AddressInfo;
    // The check takes longer than the silence that is allowed.
    const limits = { ...LIMITS, checkEveryMs: 5, checkTimeoutMs: 30, stalledMs: 1 };
    const node = new Node(`127.0.0.1:${port}`, { limits, hasOther: () => true, onChange: () => {} });
    node.links.add({ abandon: () => abandoned.resolve() });
    await abandoned.promise;
    // Node warns in the next tick.
    await new Promise((resolve) => setImmediate(resolve));
    node[Symbol.dispose]();
    process.off('warning', onWarning);
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, 'close');
    assert.deepEqual(warnings, []);
  });
});
