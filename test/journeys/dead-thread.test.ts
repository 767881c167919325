import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { freePorts } from '../../scripts/free-ports.ts';

const DYING = pathToFileURL('test/fixtures/dying-threads.ts').href;

/** Program, file, the module of its thread, and how that dies. */
const DEATHS = [
  ['authenticator/main.ts', 'accounts.db', 'accounts-sqlite.ts', 'exit'],
  ['userinfo/main.ts', 'graph.sqlite', 'graph-sqlite.ts', 'throw'],
  ['messenger/main.ts', 'messages.db', 'writer.ts', 'exit'],
  ['messenger/main.ts', 'messages.db', 'reader.ts', 'throw'],
  ['scripts/start.ts', 'accounts.db', 'accounts-sqlite.ts', 'throw'],
  ['scripts/start.ts', 'graph.sqlite', 'graph-sqlite.ts', 'exit'],
  ['scripts/start.ts', 'messages.db', 'writer.ts', 'throw'],
] as const;

const REASONS = { exit: 'it exited with 7', throw: 'it went wrong' };

describe('a process whose store’s thread dies', function () {
  this.timeout(90_000);
  let dataDir: string;
  let child: ChildProcess;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  });
  afterEach(() => {
    child.kill('SIGKILL');
    rmSync(dataDir, { recursive: true });
  });

  for (const [program, file, module, how] of DEATHS)
    it(`ends with a line that says so: ${program}, ${file} (${module}), ${how}`, async () => {
      const [port, adminPort] = await freePorts(2);
      child = spawn(process.execPath, [program], {
        env: {
          ...process.env,
          NODE_OPTIONS: `--import=${DYING}`,
          DYING_FILE: file,
          DYING_MODULE: module,
          DYING_HOW: how,
          DATA_DIR: dataDir,
          HOST: '127.0.0.1',
          PORT: `${port}`,
          CHATTERBOX_AUTH_PORT: '0',
          CHATTERBOX_USERINFO_PORT: '0',
          CHATTERBOX_MESSENGER_PORT: '0',
          CHATTERBOX_ADMIN_PORT: `${adminPort}`,
          CHATTERBOX_LOG_LEVEL: 'fatal',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      assert.ok(child.stdout && child.stderr);
      const ended = Promise.all([text(child.stderr), once(child, 'exit')]);
      // What `npm start` says when all is there.
      if (program === 'scripts/start.ts') await once(child.stdout, 'data');
      else await isStarted(child, `http://127.0.0.1:${adminPort}/readyz`);
      child.kill('SIGUSR2');
      const [said, [code]] = await ended;
      assert.equal(
        said,
        `Chatterbox cannot go on: the thread that keeps ${file} has died: ${REASONS[how]}\n`,
      );
      assert.equal(code, 1);
    });
});

/** It may still miss other services, which do not run here. The test's own time-out ends it. */
async function isStarted(child: ChildProcess, url: string): Promise<void> {
  while (child.exitCode === null) {
    const answer = await fetch(url).then(
      async (response) => (await response.json()) as { missing?: string[] },
      () => undefined,
    );
    if (answer !== undefined && !answer.missing?.includes('start')) return;
    await delay(20);
  }
}
