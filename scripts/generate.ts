import { spawnSync } from 'node:child_process';

/** What reflection describes: our public protos, the health service, and the details that errors carry. */
const PUBLIC = [
  'proto/org',
  'proto/chatterbox/v1',
  'node_modules/grpc-health-check/proto/health',
  'proto/google/rpc/error_details.proto',
];

/**
 * Generates `proto/gen` under `folder`: TypeScript, and the descriptors of what is public, for reflection. Public is what the
 * gateway passes on, everything but `chatterbox/internal`. Returns whether all went well; buf says what did not.
 */
export function generate(folder: string): boolean {
  const descriptors = `${folder}/proto/gen/public.binpb`;
  return (
    buf('generate', '--output', folder) &&
    buf('build', ...PUBLIC.flatMap((path) => ['--path', path]), '--output', descriptors)
  );
}

function buf(...args: string[]): boolean {
  return spawnSync('buf', args, { stdio: 'inherit' }).status === 0;
}
