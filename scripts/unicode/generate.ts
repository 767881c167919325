import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from '../engines/engine.ts';

/**
 * Writes common/text/unicode-tables.ts, for what regular expressions do not know. Needs Maven and Java 17. To
 * be run when Node's Unicode (`process.versions.unicode`) grows: ICU4J 78 has the data of Unicode 17.
 */
const ICU = 'icu4j-78.1';
const TABLES = join(import.meta.dirname, '../../common/text/unicode-tables.ts');

run(
  'mvn',
  '-q',
  '-B',
  'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy',
  `-Dartifact=com.ibm.icu:${ICU.replace('-', ':')}`,
  `-DoutputDirectory=${CACHE}`,
);
const jar = join(CACHE, `${ICU}.jar`);
writeFileSync(
  TABLES,
  run(
    'java',
    '-Dfile.encoding=UTF-8',
    '-Dstdout.encoding=UTF-8',
    '-cp',
    jar,
    join(import.meta.dirname, 'Tables.java'),
  ),
);
run('npx', 'biome', 'check', '--write', TABLES);

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
  return stdout;
}
