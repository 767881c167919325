import { spawnSync } from 'node:child_process';
import { delimiter, resolve } from 'node:path';

/** Where what we installed lies. For our own commands only: other suites in this process keep their PATH. */
const installed: string[] = [];

export function putOnPath(folder: string): void {
  installed.push(resolve(folder));
}

/** Runs a command to its end in a folder. @throws Error with what it printed when it fails. */
export function runIn(folder: string, [command = '', ...args]: string[]): void {
  const options = { cwd: folder, env: environment(), encoding: 'utf8' } as const;
  const { status, error, stdout, stderr } = spawnSync(command, args, options);
  if (status !== 0)
    throw new Error(`${[command, ...args].join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`);
}

/** Those of the commands that this machine does not have. */
export function missing(commands: readonly string[]): string[] {
  const env = environment();
  return commands.filter((command) => spawnSync('sh', ['-c', `command -v ${command}`], { env }).status !== 0);
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: [...installed, process.env.PATH].join(delimiter) };
}
