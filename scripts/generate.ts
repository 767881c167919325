import { spawnSync } from 'node:child_process';

/**
 * Generates `proto/gen` under `folder`: TypeScript, and the descriptors of what is public, for reflection. Public is what the
 * gateway passes on, everything but `chatterbox/internal`. Returns whether all went well; buf says what did not.
 */
export function generate(folder: string): boolean {
  const descriptors = `${folder}/proto/gen/public.binpb`;
  return (
    buf('generate', '--output', folder) &&
    buf('build', 'proto', '--exclude-path', 'proto/chatterbox/internal', '--output', descriptors)
  );
}

function buf(...args: string[]): boolean {
  return spawnSync('buf', args, { stdio: 'inherit' }).status === 0;
}
