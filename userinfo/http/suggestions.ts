import { validate } from '#common/http/validate.ts';
import { canonicalUsername } from '#common/username.ts';
import type { AppParts, Routes } from './app.ts';
import { toKnown, toSuggestion } from './encode.ts';
import { PageQuery } from './schemas.ts';

/** Whom the caller may know, and the friends in common with somebody. */
export function suggestionRoutes({ suggestions, pageTokens }: AppParts): Routes {
  return {
    '/chat/suggestions': {
      get: async (request, response) => {
        const { page_size: limit, page_token: token } = validate(PageQuery, request.query);
        const { username } = response.locals.identity;
        const list = ['suggestions', username];
        const page = { limit, after: pageTokens.open(list, token) };
        const { items, next } = await suggestions.list(username, page);
        response.json({
          suggestions: items.map(toSuggestion),
          next_page_token: pageTokens.seal(list, next),
        });
      },
    },
    '/chat/suggestions/:username': {
      delete: async (request, response) => {
        const other = canonicalUsername(String(request.params.username), 'username');
        await suggestions.dismiss(response.locals.identity.username, other);
        response.status(204).end();
      },
    },
    '/chat/people/:username/mutual': {
      get: async (request, response) => {
        const { page_size: limit, page_token: token } = validate(PageQuery, request.query);
        const other = canonicalUsername(String(request.params.username), 'username');
        const { username } = response.locals.identity;
        const list = ['mutual', username, other];
        const page = { limit, after: pageTokens.open(list, token) };
        const { items, next, count } = await suggestions.mutual(username, other, page);
        response.json({ friends: items.map(toKnown), count, next_page_token: pageTokens.seal(list, next) });
      },
    },
  };
}
