import { join } from 'node:path';
import { aptInstall, hasCommand, run } from '../engines/engine.ts';
import { type Compiler, Kept } from './compiler.ts';
import { runIn } from './run-in.ts';

const REQUIREMENTS = join(import.meta.dirname, 'python', 'requirements.txt');
const kept = new Kept('python', REQUIREMENTS);

/** The interpreter that has grpcio, where it is installed. */
export const PYTHON = join(kept.folder, 'bin', 'python');

/** grpcio-tools, which brings its own protoc, in a virtual environment; for buf the plugin that Debian has. */
export const python: Compiler = {
  language: 'Python',
  howToInstall: 'install Python 3.10 or later with venv, then npm run compilers:install',
  isInstalled: () => kept.isThere,
  install() {
    kept.make((folder) => {
      run('python3', '-m', 'venv', folder);
      run(join(folder, 'bin', 'pip'), 'install', '-q', '--no-deps', '-r', REQUIREMENTS);
    });
    if (!hasCommand('grpc_python_plugin') && hasCommand('apt-get')) aptInstall('protobuf-compiler-grpc');
  },
  commands: { protoc: ['python'], buf: ['buf', 'python', 'grpc_python_plugin'] },
  check(folder) {
    runIn(join(folder, 'gen'), ['python', '-c', IMPORTS]);
  },
};

const IMPORTS = `
import pathlib, importlib
for path in sorted(pathlib.Path('.').rglob('*.py')):
    importlib.import_module('.'.join(path.with_suffix('').parts))
`;
