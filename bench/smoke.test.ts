import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'mocha';
import type { Results } from './report/results.ts';
import { CATALOGUE } from './workloads/catalogue.ts';

const MYSQL = process.env.TEST_MYSQL_URL;

describe('the bench', function () {
  this.timeout(600_000);
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  after(() => rmSync(folder, { recursive: true }));

  /** Fulfils with what it measured; every message of it was checked. */
  const bench = async (...args: string[]): Promise<Results> => {
    const json = join(folder, 'results.json');
    const child = spawn(process.execPath, ['bench/run.ts', '--json', json, ...args]);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        output += text;
      });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0, output);
    return JSON.parse(readFileSync(json, 'utf8'));
  };

  it('measures every kind of workload and floor, and finds nothing lost, repeated or out of order', async () => {
    const { rows } = await bench('--smoke');
    assert.ok(rows.length >= CATALOGUE.filter(({ isVariant }) => !isVariant).length);
    for (const row of rows) {
      assert.equal(row.failure, undefined);
      if (row.rate !== undefined) assert.ok(row.rate > 0, `${row.workload}: nothing was sent`);
      assert.ok(row.rate !== undefined || row.figures !== undefined, `${row.workload}: nothing was measured`);
    }
  });

  it('measures on a MySQL, with two nodes too', async function () {
    if (MYSQL === undefined) this.skip();
    const { rows } = await bench('--smoke', '--store', MYSQL, '--only', 'pairs 20x32,two nodes');
    for (const row of rows) assert.equal(row.failure, undefined);
    if (process.env.TEST_NATS_URL !== undefined)
      assert.equal(rows.filter(({ workload }) => workload.includes('messenger')).length, 4);
  });

  it('says what it does not know', async () => {
    await assert.rejects(bench('--only', 'no such workload'), /there is no workload "no such workload"/);
    await assert.rejects(bench('--store', 'redis://localhost'), /--store redis:/);
  });
});
