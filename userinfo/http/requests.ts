import { validate } from '#common/http/validate.ts';
import { canonicalUsername } from '#common/username.ts';
import type { Asked, Direction, Page } from '../ports.ts';
import type { AppParts, Routes } from './app.ts';
import { toFriend, toRequest } from './encode.ts';
import { AskBody, RequestsQuery } from './schemas.ts';

/** Requests for friendship, to and from the caller. */
export function requestRoutes(parts: AppParts): Routes {
  const { friends } = parts;
  return {
    '/chat/friends/requests': {
      get: async (request, response) => {
        const { page_size: limit, page_token: token, direction } = validate(RequestsQuery, request.query);
        const { username } = response.locals.identity;
        const page = { limit, after: token };
        const [incoming, outgoing] = await Promise.all([
          direction === 'outgoing' ? NOTHING : list(parts, username, 'incoming', page),
          direction === 'incoming' ? NOTHING : list(parts, username, 'outgoing', page),
        ]);
        response.json({
          incoming: incoming.requests,
          outgoing: outgoing.requests,
          next_incoming_page_token: incoming.next,
          next_outgoing_page_token: outgoing.next,
        });
      },
      post: async (request, response) => {
        const { username } = validate(AskBody, request.body);
        const to = canonicalUsername(username, 'username');
        const asked = await friends.ask(response.locals.identity.username, to);
        response.status(asked.outcome === 'asked before' ? 200 : 201).json(toAsked(asked));
      },
    },
    '/chat/friends/requests/:username': {
      delete: async (request, response) => {
        const other = canonicalUsername(String(request.params.username), 'username');
        await friends.dismiss(response.locals.identity.username, other);
        response.status(204).end();
      },
    },
    '/chat/friends/requests/:username/accept': {
      post: async (request, response) => {
        const from = canonicalUsername(String(request.params.username), 'username');
        response.json(toFriend(await friends.accept(response.locals.identity.username, from)));
      },
    },
  };
}

const NOTHING = { requests: [], next: '' };

/** One of the two lists; `page.after` is a page token. */
async function list({ graph, pageTokens }: AppParts, username: string, direction: Direction, page: Page) {
  const name = [direction, username];
  const after = pageTokens.open(name, page.after);
  const { items, next } = await graph.requests(username, direction, { limit: page.limit, after });
  return { requests: items.map(toRequest), next: pageTokens.seal(name, next) };
}

function toAsked(asked: Asked) {
  return 'friend' in asked
    ? { status: 'friends', ...toFriend(asked.friend) }
    : { status: 'requested', ...toRequest(asked.request) };
}
