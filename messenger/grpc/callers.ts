import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { ServiceError, toServiceError } from '#common/errors.ts';
import { toGrpcStatus } from '#common/grpc/status.ts';
import type { Identity } from '#common/identity/access-token.ts';
import type { Authentication } from '#common/identity/authentication.ts';
import { requireServiceSecret, SERVICE_CREDENTIAL } from '#common/service-secret.ts';

const OPEN = ['/grpc.reflection.', '/grpc.health.'];
const INTERNAL = '/chatterbox.internal.';

/** Who calls, by the metadata that their call came with: nothing that a client sends can stand in for it. */
const identities = new WeakMap<Metadata, Identity>();

/** The caller of a method that `authenticated` let pass. */
export function callerOf({ metadata }: { metadata: Metadata }): Identity {
  const identity = identities.get(metadata);
  if (identity === undefined) throw new ServiceError('UNAUTHENTICATED');
  return identity;
}

/**
 * Refuses calls at their headers, before any message is read: people need a valid access token, services their credential;
 * reflection and health are open.
 */
export function authenticated(authentication: Authentication, serviceSecret: string): ServerInterceptor {
  const check = async (path: string, metadata: Metadata): Promise<void> => {
    if (OPEN.some((prefix) => path.startsWith(prefix))) return;
    if (path.startsWith(INTERNAL)) requireServiceSecret(metadata.get(SERVICE_CREDENTIAL)[0], serviceSecret);
    else {
      identities.set(metadata, await authentication.identify(metadata.get('authorization').map(String)));
      // A stream keeps its metadata for as long as it lives, and needs no token any more.
      metadata.remove('authorization');
    }
  };
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            check(method.path, metadata).then(
              () => proceed(metadata),
              (thrown: unknown) => call.sendStatus(toGrpcStatus(toServiceError(thrown))),
            );
          },
        }),
    });
}
