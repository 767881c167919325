import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, type Engine, hasCommand, run, startServer } from './engine.ts';

/** For `mysql:` URLs. The user may do everything, so that a test makes databases and users of its own. */
export const mariadb: Engine = {
  name: 'mariadb',
  variable: 'TEST_MYSQL_URL',
  howToInstall: 'apt-get install mariadb-server (or: brew install mariadb)',
  isInstalled: () => hasCommand('mariadbd') && hasCommand('mariadb-install-db'),
  install() {
    if (!this.isInstalled()) aptInstall('mariadb-server');
  },
  start: () =>
    startServer({
      name: 'mariadb',
      url: (port) => `mysql://chatterbox:chatterbox@127.0.0.1:${port}/chatterbox`,
      prepare,
    }),
};

const USER = process.getuid?.() === 0 ? ['--user=root'] : [];

/** It listens only after the init file has run. */
function prepare(folder: string, port: number): string[] {
  const data = join(folder, 'data');
  run(
    'mariadb-install-db',
    '--no-defaults',
    ...USER,
    `--datadir=${data}`,
    '--skip-test-db',
    '--auth-root-authentication-method=normal',
  );
  const init = join(folder, 'init.sql');
  writeFileSync(
    init,
    `CREATE DATABASE IF NOT EXISTS chatterbox;
CREATE USER IF NOT EXISTS chatterbox@'127.0.0.1' IDENTIFIED BY 'chatterbox';
GRANT ALL ON *.* TO chatterbox@'127.0.0.1' WITH GRANT OPTION;
`,
  );
  return [
    'mariadbd',
    '--no-defaults',
    ...USER,
    `--datadir=${data}`,
    `--init-file=${init}`,
    `--socket=${join(folder, 'mariadb.sock')}`,
    `--pid-file=${join(folder, 'mariadb.pid')}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    '--skip-name-resolve',
    '--innodb-flush-log-at-trx-commit=1',
    // As docker-compose.yml has them; the defaults are those of a small machine.
    '--innodb-buffer-pool-size=1G',
    '--innodb-log-file-size=1G',
  ];
}
