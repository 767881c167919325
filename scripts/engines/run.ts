import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Engine, RunningEngine } from './engine.ts';
import { ENGINES } from './engines.ts';

/**
 * `npm run engines`: starts the engines that are installed, prints their URLs, and stops them on Ctrl-C.
 * `node scripts/engines/run.ts -- COMMAND...`: runs the command with the URLs in its environment, then stops them;
 * ends with the command's exit code.
 */
const [separator, ...command] = process.argv.slice(2);
if (separator !== undefined && (separator !== '--' || command.length === 0)) {
  console.error('Usage: node scripts/engines/run.ts [-- COMMAND ...]');
  process.exit(2);
}

const signalled = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await using stack = new AsyncDisposableStack();
const urls = await startInstalled();
if (command.length > 0) process.exitCode = await runCommand(command, urls);
else {
  for (const [variable, url] of Object.entries(urls)) console.log(`export ${variable}=${url}`);
  console.error('Running; Ctrl-C stops them.');
  // Nothing else keeps the process alive.
  const forever = setInterval(() => {}, 2 ** 30);
  await signalled;
  clearInterval(forever);
}

async function startInstalled(): Promise<Record<string, string>> {
  const installed = ENGINES.filter((engine) => engine.isInstalled());
  for (const engine of ENGINES)
    if (!installed.includes(engine))
      console.error(`${engine.name} is not installed, and left out. To have it: ${engine.howToInstall}`);
  const started = await Promise.allSettled(installed.map(start));
  const failure = started.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return Object.fromEntries(
    started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
  );
}

async function start(engine: Engine): Promise<[string, string]> {
  const running: RunningEngine = stack.use(await engine.start());
  return [engine.variable, running.url];
}

/** A Ctrl-C reaches the command by itself, being in our process group; we wait for it to end. */
async function runCommand([program = '', ...args]: string[], env: Record<string, string>): Promise<number> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: 'inherit' });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  signalled.then(() => child.kill());
  return (await exited)[0] ?? 1;
}
