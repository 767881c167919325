import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand } from '../engines/engine.ts';
import { type Compiler, Kept } from './compiler.ts';
import { runIn } from './run-in.ts';

const MODULE = join(import.meta.dirname, 'go');
const kept = new Kept('go', join(MODULE, 'go.sum'));

/** The plugins, and the modules that generated code imports, in the versions of go/go.mod. */
export const go: Compiler = {
  language: 'Go',
  howToInstall: 'install Go 1.26 or later, then npm run compilers:install',
  isInstalled: () => hasCommand('go') && kept.isThere,
  install() {
    kept.make((folder) => {
      runIn(MODULE, ['env', `GOBIN=${join(folder, 'bin')}`, 'go', 'install', 'tool']);
      // Into the build cache, so that no test waits for it.
      runIn(MODULE, ['go', 'build', './...']);
    });
  },
  commands: {
    protoc: ['protoc', 'protoc-gen-go', 'protoc-gen-go-grpc'],
    buf: ['buf', 'protoc-gen-go', 'protoc-gen-go-grpc'],
  },
  check(folder) {
    for (const name of ['go.mod', 'go.sum']) copyFileSync(join(MODULE, name), join(folder, 'gen', name));
    runIn(join(folder, 'gen'), ['go', 'vet', './...']);
  },
};
