import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, CACHE, type Engine, hasCommand, run, startServer } from './engine.ts';

const MODULE = 'github.com/nats-io/nats-server/v2@v2.12.1';
const OURS = join(CACHE, 'bin', 'nats-server');

/** For `nats:` URLs: core NATS, nothing kept. */
export const nats: Engine = {
  name: 'nats',
  variable: 'TEST_NATS_URL',
  howToInstall: `go install ${MODULE} (or: apt-get install nats-server, brew install nats-server)`,
  isInstalled: () => existsSync(OURS) || hasCommand('nats-server'),
  install() {
    if (this.isInstalled()) return;
    mkdirSync(join(CACHE, 'bin'), { recursive: true });
    if (hasCommand('go')) run('env', `GOBIN=${join(CACHE, 'bin')}`, 'go', 'install', MODULE);
    else aptInstall('nats-server');
  },
  start: () =>
    startServer({
      name: 'nats',
      url: (port) => `nats://127.0.0.1:${port}`,
      prepare: (_folder, port) => [
        existsSync(OURS) ? OURS : 'nats-server',
        '--addr',
        '127.0.0.1',
        '--port',
        `${port}`,
      ],
    }),
};
