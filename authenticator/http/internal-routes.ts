import type { Express } from 'express';
import { invalidField } from '#common/errors.ts';
import { requireServiceSecret, SERVICE_CREDENTIAL } from '#common/service-secret.ts';
import type { Accounts } from '../accounts.ts';
import type { AccountStore } from '../ports.ts';
import type { Signal } from '../signal.ts';
import { type FeedLine, type FeedSource, serveFeed } from './feed.ts';

const PAGE = 500;

/** What other services may ask; the gateway routes none of it. */
export function addInternalRoutes(
  app: Express,
  secret: string,
  accounts: Accounts,
  sources: FeedSources,
): void {
  const { stop } = sources;
  app.use('/internal', (request, _response, next) => {
    requireServiceSecret(request.headers[SERVICE_CREDENTIAL], secret);
    next();
  });
  app.get('/internal/users/:username', async (request, response) => {
    const { username, displayName } = await accounts.find(request.params.username);
    response.json({ username, display_name: displayName });
  });
  app.get('/internal/accounts/feed', (request, response) =>
    serveFeed(response, cursorOf(request.query.after), accountFeed(sources), stop),
  );
  app.get('/internal/revocations/feed', (request, response) =>
    serveFeed(response, cursorOf(request.query.after), revocationFeed(sources), stop),
  );
}

function accountFeed({ store, registered }: FeedSources): FeedSource {
  return {
    changed: registered,
    read: async (after) =>
      (await store.accountsAfter(after, PAGE)).map(
        ({ seq, username, displayName, createdAt }): FeedLine => ({
          seq,
          fields: { username, display_name: displayName, created_at: new Date(createdAt).toISOString() },
        }),
      ),
    isPlace: async (cursor) => cursor <= (await store.ends()).accounts,
  };
}

function revocationFeed({ store, ended }: FeedSources): FeedSource {
  return {
    changed: ended,
    read: async (after) =>
      (await store.revocationsAfter(after, PAGE)).map(
        ({ seq, sessionId, until }): FeedLine => ({ seq, fields: { session_id: sessionId, until } }),
      ),
    async isPlace(cursor, isFresh) {
      const { revocations, forgotten } = await store.ends();
      return cursor <= revocations && (isFresh || cursor >= forgotten);
    },
  };
}

/** Undefined, where it is absent or empty, is the beginning. */
function cursorOf(raw: unknown): number | undefined {
  if (raw === undefined || raw === '') return undefined;
  if (typeof raw === 'string' && /^\d{1,15}$/.test(raw)) return Number(raw);
  throw invalidField('after', 'is not a cursor of this feed');
}

export interface FeedSources {
  store: AccountStore;
  registered: Signal;
  ended: Signal;
  /** Ends all feeds. */
  stop: AbortSignal;
}
