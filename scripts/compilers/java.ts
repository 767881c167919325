import { chmodSync, globSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand, run } from '../engines/engine.ts';
import { type Compiler, Kept } from './compiler.ts';
import { runIn } from './run-in.ts';

const POM = join(import.meta.dirname, 'java', 'pom.xml');
const kept = new Kept('java', POM);

/** protoc itself, its plugin for Java, and the libraries, in the versions of java/pom.xml. */
export const java: Compiler = {
  language: 'Java',
  howToInstall: 'install a JDK 17 or later and Maven, then npm run compilers:install',
  isInstalled: () => hasCommand('javac') && kept.isThere,
  install() {
    kept.make((folder) => {
      const machine = `-Dmachine=${SYSTEMS[process.platform]}-${PROCESSORS[process.arch]}`;
      run(
        'mvn',
        '-q',
        '-B',
        '-f',
        POM,
        machine,
        'dependency:copy-dependencies',
        `-DoutputDirectory=${folder}`,
      );
      for (const name of ['protoc', 'protoc-gen-grpc-java']) {
        const [program = ''] = globSync(`${name}-[0-9]*.exe`, { cwd: folder });
        chmodSync(join(folder, program), 0o755);
        renameSync(join(folder, program), join(folder, 'bin', name));
      }
      // As in a release of protoc: Google's own types lie where it looks for them.
      const include = join(folder, 'include');
      mkdirSync(include);
      const [types = ''] = globSync('protobuf-java-[0-9]*.jar', { cwd: folder });
      runIn(include, ['jar', 'xf', join(folder, types), 'google/protobuf']);
    });
  },
  commands: { protoc: ['protoc', 'protoc-gen-grpc-java'], buf: ['buf', 'protoc', 'protoc-gen-grpc-java'] },
  check(folder) {
    const sources = globSync('gen/**/*.java', { cwd: folder });
    runIn(folder, ['javac', '-cp', join(kept.folder, '*'), '-d', 'classes', ...sources]);
  },
};

/** As Maven's artifacts name them. */
const SYSTEMS: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'osx', win32: 'windows' };
const PROCESSORS: Partial<Record<NodeJS.Architecture, string>> = { x64: 'x86_64', arm64: 'aarch_64' };
