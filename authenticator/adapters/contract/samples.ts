import type { Account, AccountStore, NewSession, Rotation } from '../../ports.ts';

/** The time at which everything here happens, ms; and the same in seconds. */
export const NOW = 1_700_000_000_000;
export const NOW_S = NOW / 1000;
export const DAY_MS = 86_400_000;
export const GRACE_MS = 10_000;
export const FORGIVE_EVERY_MS = DAY_MS;
export const IDLE_MS = 90 * DAY_MS;
export const STANDING = { now: NOW, idleMs: IDLE_MS };

export function account(username: string): Account {
  return {
    username,
    displayName: username.toUpperCase(),
    passwordHash: `hash of ${username}`,
    createdAt: NOW,
  };
}

/** One that can be refreshed, with a token valid for 900 s, at generation 0. */
export function session(id: string, username: string, more: Partial<NewSession> = {}): NewSession {
  return { id, username, device: `phone ${id}`, now: NOW, tokenHash: `${id}-0`, until: NOW_S + 900, ...more };
}

/** Presents the token of this generation. */
export function rotation(sessionId: string, generation: number, now = NOW): Rotation {
  return {
    sessionId,
    generation,
    tokenHash: `${sessionId}-${generation}`,
    successorHash: `${sessionId}-${generation + 1}`,
    replacementHash: `${sessionId}-${generation + 2}`,
    now,
    idleMs: IDLE_MS,
    graceMs: GRACE_MS,
    forgiveEveryMs: FORGIVE_EVERY_MS,
    until: Math.floor(now / 1000) + 900,
  };
}

/** An account with one session, whose id is `s-` and the name, registered from `home`. */
export async function register(store: AccountStore, username: string): Promise<void> {
  await store.createAccount(account(username), session(`s-${username}`, username), 'home');
}

export async function idsOf(store: AccountStore, username: string, at = STANDING): Promise<string[]> {
  return (await store.sessions(username, at)).map(({ id }) => id);
}

/** Every revocation that is kept, in the order of the feed. */
export async function revoked(store: AccountStore): Promise<string[]> {
  return (await store.revocationsAfter(0, 1_000)).map(({ sessionId }) => sessionId);
}
