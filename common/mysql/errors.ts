import { ServiceError } from '../errors.ts';

/** Deadlock, lock wait time-out, and how TiDB says that another transaction was first. */
const LOCK_TROUBLE = new Set([1213, 1205, 1020, 8002, 8022, 8028, 9007]);

/** Too many connections, shutting down, read-only, out of space, killed, took too long. */
const SERVER_TROUBLE = new Set([
  1021, 1040, 1041, 1053, 1114, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1290, 1317, 1792, 1836, 1927, 1969,
  3024, 9001, 9002, 9003, 9004, 9005,
]);

/** MariaDB's ER_CONNECTION_KILLED. */
export const CONNECTION_KILLED = 1927;
/** Killed, and idle for too long, said in the place of an answer. */
const CLOSED_BY_SERVER = new Set([CONNECTION_KILLED, 4031]);

const CONNECTION_TROUBLE = /^(E[A-Z]+|PROTOCOL_\w+|HANDSHAKE_\w+)$/;

/** The transaction was undone because of another one: run it again. */
export function isLockTrouble(error: unknown): boolean {
  return LOCK_TROUBLE.has(numberOf(error));
}

/** The connection is of no use any more, and what it was doing has an unknown end. */
export function isConnectionTrouble(error: unknown): boolean {
  const { code, fatal } = (error ?? {}) as { code?: unknown; fatal?: unknown };
  return (
    CLOSED_BY_SERVER.has(numberOf(error)) ||
    fatal === true ||
    (typeof code === 'string' && !code.startsWith('ER_') && CONNECTION_TROUBLE.test(code))
  );
}

/** The server refuses this user or database, which does not pass by itself. */
export function isRefusal(error: unknown): boolean {
  return [1044, 1045, 1049, 1251, 1698].includes(numberOf(error));
}

/** It passes by itself: the server is away, busy, or starting; not so a refusal, or a schema that is not ours. */
export function mayPass(error: unknown): boolean {
  if (error instanceof ServiceError) return error.reason === 'UNAVAILABLE';
  return !isRefusal(error) && toStoreError(error) instanceof ServiceError;
}

/** There is such a row already. */
export function isDuplicate(error: unknown): boolean {
  return numberOf(error) === 1062;
}

/** What the callers of a store may see: UNAVAILABLE for the trouble of engine or network; any other error as it is. */
export function toStoreError(error: unknown): unknown {
  const passes =
    isLockTrouble(error) ||
    isConnectionTrouble(error) ||
    SERVER_TROUBLE.has(numberOf(error)) ||
    isRefusal(error);
  if (error instanceof ServiceError || !passes) return error;
  return unavailable(error);
}

export function unavailable(cause: unknown): ServiceError {
  return new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause });
}

function numberOf(error: unknown): number {
  return (error as { errno?: number }).errno ?? 0;
}
