import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, hasCommand, type RunningEngine, startServer } from './engine.ts';

/** A proxy in front of the gateway, for tests: what it passes on, and how, is its configuration's. */
export const haproxy = {
  name: 'haproxy',
  howToInstall: 'apt-get install haproxy (or: brew install haproxy)',
  isInstalled: (): boolean => hasCommand('haproxy'),
  install(): void {
    if (!this.isInstalled()) aptInstall('haproxy');
  },
  /** Listens on a free loopback port, which `config` is given: the sections of haproxy.cfg after `global`. */
  start: (config: (port: number) => string): Promise<RunningEngine> =>
    startServer({
      name: 'haproxy',
      url: (port) => `http://127.0.0.1:${port}`,
      prepare(folder, port) {
        const file = join(folder, 'haproxy.cfg');
        writeFileSync(file, `global\n  maxconn 1000\n${config(port)}\n`);
        return ['haproxy', '-db', '-f', file];
      },
    }),
};
