import type { Express } from 'express';
import { invalidField } from '#common/errors.ts';
import { requireServiceSecret, SERVICE_CREDENTIAL } from '#common/service-secret.ts';
import type { Accounts } from '../accounts.ts';
import type { AccountStore } from '../ports.ts';
import type { Signal } from '../signal.ts';
import { type FeedLine, serveFeed } from './feed.ts';

const PAGE = 500;

/** What other services may ask; the gateway routes none of it. */
export function addInternalRoutes(
  app: Express,
  secret: string,
  accounts: Accounts,
  sources: FeedSources,
): void {
  const { store, registered, ended, clock, stop } = sources;
  app.use('/internal', (request, _response, next) => {
    requireServiceSecret(request.headers[SERVICE_CREDENTIAL], secret);
    next();
  });
  app.get('/internal/users/:username', async (request, response) => {
    const { username, displayName } = await accounts.find(request.params.username);
    response.json({ username, display_name: displayName });
  });
  app.get('/internal/accounts/feed', (request, response) =>
    serveFeed(response, cursorOf(request.query.after), registered, stop, async (after) =>
      (await store.accountsAfter(after, PAGE)).map(
        ({ seq, username, displayName, createdAt }): FeedLine => ({
          seq,
          fields: { username, display_name: displayName, created_at: new Date(createdAt).toISOString() },
        }),
      ),
    ),
  );
  app.get('/internal/revocations/feed', (request, response) =>
    serveFeed(response, cursorOf(request.query.after), ended, stop, async (after) =>
      (await store.revocationsAfter(after, Math.floor(clock() / 1000), PAGE)).map(
        ({ seq, sessionId, until }): FeedLine => ({ seq, fields: { session_id: sessionId, until } }),
      ),
    ),
  );
}

/** Absent or empty is the beginning. */
function cursorOf(raw: unknown): number {
  if (raw === undefined || raw === '') return 0;
  if (typeof raw === 'string' && /^\d{1,15}$/.test(raw)) return Number(raw);
  throw invalidField('after', 'is not a cursor of this feed');
}

export interface FeedSources {
  store: AccountStore;
  registered: Signal;
  ended: Signal;
  clock: () => number;
  /** Ends all feeds. */
  stop: AbortSignal;
}
