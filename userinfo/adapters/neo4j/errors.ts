import { Neo4jError } from 'neo4j-driver';
import { ServiceError } from '#common/errors.ts';

/** What the server says where it is at fault, or busy, or not let us in; a statement of ours that is wrong is none of these. */
const SERVER_TROUBLE =
  /^Neo\.(TransientError|DatabaseError|ClientError\.(Security|Cluster|Database|Transaction|General))\./;

/** Refusals that do not pass by waiting: a wrong password, no such database. */
const REFUSAL = /^Neo\.ClientError\.(Security\.(?!AuthenticationRateLimit)|Database\.DatabaseNotFound)/;

/** What callers of the graph may see: UNAVAILABLE for the trouble of server or network; any other error as it is. */
export function toGraphError(error: unknown): unknown {
  if (error instanceof ServiceError || !(error instanceof Neo4jError)) return error;
  // The driver's own codes have no such beginning; all that it says is of connections.
  return !error.code.startsWith('Neo.') || SERVER_TROUBLE.test(error.code) ? unavailable(error) : error;
}

/** Whether waiting helps when the graph could not be opened. */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return false;
  return !(error.cause instanceof Neo4jError && REFUSAL.test(error.cause.code));
}

/** Whether the server was there to say that it cannot now. */
export function isFromServer(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : undefined;
  return cause instanceof Neo4jError && cause.code.startsWith('Neo.') && mayPass(error);
}

export function unavailable(cause: unknown): ServiceError {
  return new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause });
}
