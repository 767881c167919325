import { validate } from '#common/http/validate.ts';
import { canonicalUsername } from '#common/username.ts';
import type { AppParts, Routes } from './app.ts';
import { toPerson } from './encode.ts';
import { ProfileBody, SearchQuery } from './schemas.ts';

/** Profiles: everybody's to read, one's own to change. Nobody can be called `me`: the name is reserved. */
export function peopleRoutes({ people, pageTokens }: AppParts): Routes {
  return {
    '/chat/people': {
      get: async (request, response) => {
        const { query, page_size: limit, page_token: token } = validate(SearchQuery, request.query);
        const list = ['people', response.locals.identity.username, query];
        const { items, next } = await people.search(query, { limit, after: pageTokens.open(list, token) });
        response.json({ people: items.map(toPerson), next_page_token: pageTokens.seal(list, next) });
      },
    },
    '/chat/people/me': {
      get: async (_request, response) => {
        response.json(toPerson(await people.profile(response.locals.identity.username)));
      },
      patch: async (request, response) => {
        const {
          display_name: displayName,
          about,
          avatar_url: avatarUrl,
        } = validate(ProfileBody, request.body);
        const edit = { displayName, about, avatarUrl };
        response.json(toPerson(await people.edit(response.locals.identity.username, edit)));
      },
    },
    '/chat/people/:username': {
      get: async (request, response) => {
        const username = canonicalUsername(String(request.params.username), 'username');
        response.json(toPerson(await people.profile(username)));
      },
    },
  };
}
