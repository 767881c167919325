import { Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Person } from './load.ts';

/** A connection of its own for each stub, as for each client, and without what it does not use: retries and channelz cost it a quarter. */
export const STUB_OPTIONS = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
};

export function metadataOf({ token }: Person, more: Record<string, string> = {}): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  for (const [name, value] of Object.entries(more)) metadata.set(name, value);
  return metadata;
}

/** The answer of a unary call, which `begin` makes with the callback that it is given. */
export function answerOf<Answer>(
  begin: (callback: (error: ServiceError | null, answer: Answer) => void) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) =>
    begin((error, answer) => (error ? reject(error) : resolve(answer))),
  );
}
