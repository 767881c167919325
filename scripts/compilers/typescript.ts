import { symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Compiler } from './compiler.ts';
import { putOnPath, runIn } from './run-in.ts';

const OURS = resolve('node_modules');
putOnPath(join(OURS, '.bin'));

/** protoc-gen-es, which comes with our packages. */
export const typescript: Compiler = {
  language: 'TypeScript',
  howToInstall: 'npm ci',
  isInstalled: () => true,
  install() {},
  commands: { protoc: ['protoc', 'protoc-gen-es'], buf: ['buf', 'protoc-gen-es'] },
  check(folder) {
    symlinkSync(OURS, join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: OPTIONS, include: ['gen'] }),
    );
    runIn(folder, ['tsc']);
  },
};

const OPTIONS = {
  strict: true,
  noEmit: true,
  target: 'es2024',
  module: 'nodenext',
  types: [],
  erasableSyntaxOnly: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
};
