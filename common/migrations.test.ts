import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'mocha';
import { stepStatuses, stepsToRun } from './migrations.ts';
import { openSqlite, sqliteStatus } from './sqlite/open.ts';

const ONE = { name: 'one', sql: 'CREATE TABLE one (n INTEGER) STRICT' };
const TWO = { name: 'two', sql: 'CREATE TABLE two (n INTEGER) STRICT' };

describe('a schema', () => {
  it('is brought forward by the steps that have not run, in order', () => {
    const [first] = stepsToRun('here', [], [ONE, TWO]);
    assert.ok(first);
    assert.deepEqual(
      stepsToRun('here', [first], [ONE, TWO]).map(({ number, name }) => [number, name]),
      [[2, 'two']],
    );
    assert.deepEqual(stepStatuses('here', [first], [ONE, TWO]), [
      { number: 1, name: 'one', isApplied: true },
      { number: 2, name: 'two', isApplied: false },
    ]);
  });

  it('does not mind how its statements are indented, but what they say', () => {
    const [ran] = stepsToRun('here', [], [ONE]);
    assert.ok(ran);
    assert.deepEqual(stepsToRun('here', [ran], [{ ...ONE, sql: `\n  ${ONE.sql}\n` }]), []);
    assert.throws(
      () => stepsToRun('here', [ran], [{ ...ONE, sql: TWO.sql }]),
      /here: step 1 .* not the one that ran/,
    );
  });

  it('that is newer than the program is refused', () => {
    const applied = stepsToRun('here', [], [ONE, TWO]);
    assert.throws(() => stepsToRun('here', applied, [ONE]), /here was written by a newer Chatterbox/);
  });

  it('of a file that was made before there were checksums goes on', () => {
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const path = join(folder, 'old.db');
    const old = new DatabaseSync(path);
    old.exec(`CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
      INSERT INTO migration VALUES (1, 'one'); ${ONE.sql}`);
    old.close();
    assert.deepEqual(
      sqliteStatus(path, [ONE, TWO]).map(({ isApplied }) => isApplied),
      [true, false],
    );
    openSqlite(path, [ONE, TWO]).close();
    openSqlite(path, [ONE, TWO]).close();
    assert.throws(() => openSqlite(path, [ONE, { ...TWO, sql: ONE.sql }]), /step 2/);
    rmSync(folder, { recursive: true });
  });
});
