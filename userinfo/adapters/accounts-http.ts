import { z } from 'zod';
import { ServiceError } from '#common/errors.ts';
import { readFeed } from '#common/http/ndjson.ts';
import { SERVICE_CREDENTIAL } from '#common/service-secret.ts';
import { coalesce } from '../coalesce.ts';
import type { Account, AccountBatch, Accounts } from '../ports.ts';

const DirectoryEntry = z.object({ username: z.string(), display_name: z.string() });

const LOOKUP_MS = 3_000;
const LINES_AT_ONCE = 1_000;

/** The accounts as the authenticator serves them to services over HTTP. */
export class AccountsHttp implements Accounts {
  readonly #url: string;
  readonly #secret: string;

  constructor(authUrl: string, serviceSecret: string) {
    this.#url = `${authUrl}/internal`;
    this.#secret = serviceSecret;
  }

  async find(username: string): Promise<Account | undefined> {
    try {
      const response = await fetch(`${this.#url}/users/${encodeURIComponent(username)}`, {
        headers: { [SERVICE_CREDENTIAL]: this.#secret },
        signal: AbortSignal.timeout(LOOKUP_MS),
      });
      const body: unknown = await response.json();
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`the directory answered ${response.status}`);
      const entry = DirectoryEntry.parse(body);
      return { username: entry.username, displayName: entry.display_name };
    } catch (cause) {
      throw new ServiceError('UNAVAILABLE', { retryAfterMs: 1_000, cause });
    }
  }

  async *follow(cursor: string, signal: AbortSignal): AsyncGenerator<AccountBatch> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const lines = readFeed<AccountLine>(`${this.#url}/accounts/feed`, cursor, this.#secret, either);
    for await (const batch of coalesce(lines, () => stop.abort(), LINES_AT_ONCE)) yield toBatch(batch);
  }
}

function toBatch(lines: AccountLine[]): AccountBatch {
  return {
    accounts: lines.flatMap(({ username, display_name: displayName }) =>
      username === undefined ? [] : [{ username, displayName: displayName || username }],
    ),
    cursor: lines.at(-1)?.cursor ?? '',
    isCaughtUp: lines.some((line) => line.caught_up),
    isReset: lines.some((line) => line.reset),
  };
}

/**
 * An account, or the mark that the past is told, or that our cursor is none: then the feed goes on from the beginning, and
 * so does our place in it.
 */
interface AccountLine {
  cursor: string;
  username?: string;
  display_name?: string;
  caught_up?: boolean;
  reset?: boolean;
}
