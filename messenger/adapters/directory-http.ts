import { ServiceError } from '#common/errors.ts';
import { SERVICE_CREDENTIAL } from '#common/service-secret.ts';
import type { Directory } from '../ports.ts';

const TIMEOUT_MS = 3_000;

/** The authenticator's directory, over HTTP. */
export function httpDirectory(authUrl: string, serviceSecret: string): Directory {
  return {
    async exists(username) {
      const url = `${authUrl}/internal/users/${encodeURIComponent(username)}`;
      const response = await fetch(url, {
        headers: { [SERVICE_CREDENTIAL]: serviceSecret },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      }).catch(unavailable);
      await response.body?.cancel();
      if (response.ok || response.status === 404) return response.ok;
      return unavailable(new Error(`the directory answered ${response.status}`));
    },
  };
}

function unavailable(cause: unknown): never {
  throw new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause });
}
