import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, CACHE, type Engine, hasCommand, run, startServer } from './engine.ts';

const HERE = join(import.meta.dirname, 'neo4j');
const VERSION = '5.26.12';
const LIBRARIES = join(CACHE, `neo4j-${VERSION}`);

/** For `neo4j:` and `bolt:` URLs: the community server from its Maven artifacts (neo4j/pom.xml). */
export const neo4j: Engine = {
  name: 'neo4j',
  variable: 'TEST_NEO4J_URL',
  howToInstall: 'apt-get install maven openjdk-17-jre-headless, then node scripts/engines/install.ts',
  isInstalled: () => hasCommand('java') && existsSync(LIBRARIES),
  install() {
    if (this.isInstalled()) return;
    if (!hasCommand('mvn') || !hasCommand('java')) aptInstall('maven', 'openjdk-17-jre-headless');
    // Half of a download must not pass for an installation.
    const draft = `${LIBRARIES}.${process.pid}`;
    mkdirSync(CACHE, { recursive: true });
    run(
      'mvn',
      '-q',
      '-B',
      '-f',
      join(HERE, 'pom.xml'),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${draft}`,
    );
    if (existsSync(LIBRARIES)) rmSync(draft, { recursive: true });
    else renameSync(draft, LIBRARIES);
  },
  start: () =>
    startServer({
      name: 'neo4j',
      url: (port) => `bolt://neo4j:${PASSWORD}@127.0.0.1:${port}`,
      prepare,
      readyWhenPrinted: 'ready for connections',
    }),
};

const PASSWORD = 'chatterbox';

const OPENED = ['java.nio', 'java.io', 'sun.nio.ch'].map(
  (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
);

function prepare(folder: string, port: number): string[] {
  writeFileSync(
    join(folder, 'neo4j.conf'),
    `server.bolt.enabled=true
server.bolt.listen_address=127.0.0.1:${port}
dbms.security.auth_enabled=true
dbms.security.auth_minimum_password_length=8
dbms.usage_report.enabled=false
server.memory.pagecache.size=128m
`,
  );
  return [
    'java',
    '-Xmx512m',
    ...OPENED,
    '-cp',
    join(LIBRARIES, '*'),
    join(HERE, 'Server.java'),
    folder,
    PASSWORD,
  ];
}
