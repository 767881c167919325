import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { openDataFolder } from './data-folder.ts';

describe('a data folder', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  it('belongs to one owner at a time, is readable by nobody else, and is free again afterwards', () => {
    const first = openDataFolder(dataDir, 'messenger');
    assert.equal(statSync(first.path).mode & 0o777, 0o700);
    assert.throws(() => openDataFolder(dataDir, 'messenger'), /in use by another process/);
    openDataFolder(dataDir, 'userinfo')[Symbol.dispose]();
    first[Symbol.dispose]();
    openDataFolder(dataDir, 'messenger')[Symbol.dispose]();
  });

  it('is free again when its owner is killed', async () => {
    const program = `
      const { openDataFolder } = await import(${JSON.stringify(new URL('./data-folder.ts', import.meta.url).href)});
      globalThis.folder = openDataFolder(${JSON.stringify(dataDir)}, 'messenger');
      console.log('open');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    assert.throws(() => openDataFolder(dataDir, 'messenger'), /in use by another process/);
    child.kill('SIGKILL');
    await once(child, 'exit');
    openDataFolder(dataDir, 'messenger')[Symbol.dispose]();
  });
});
