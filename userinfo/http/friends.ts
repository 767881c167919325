import { validate } from '#common/http/validate.ts';
import { canonicalUsername } from '#common/username.ts';
import type { AppParts, Routes } from './app.ts';
import { toFriend } from './encode.ts';
import { PageQuery } from './schemas.ts';

/** The caller's friends. */
export function friendRoutes({ graph, friends, pageTokens }: AppParts): Routes {
  return {
    '/chat/friends': {
      get: async (request, response) => {
        const { page_size: limit, page_token: token } = validate(PageQuery, request.query);
        const { username } = response.locals.identity;
        const list = ['friends', username];
        const { items, next } = await graph.friends(username, { limit, after: pageTokens.open(list, token) });
        response.json({ friends: items.map(toFriend), next_page_token: pageTokens.seal(list, next) });
      },
    },
    '/chat/friends/:username': {
      delete: async (request, response) => {
        const friend = canonicalUsername(String(request.params.username), 'username');
        await friends.unfriend(response.locals.identity.username, friend);
        response.status(204).end();
      },
    },
  };
}
