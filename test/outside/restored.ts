import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** Runs `npm run restored` on a data folder, and fulfils with what it prints on both streams. */
export async function restored(dataDir: string): Promise<string> {
  const env = { ...process.env, DATA_DIR: dataDir };
  const child = spawn(process.execPath, ['scripts/restored.ts'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return output + errors;
}
