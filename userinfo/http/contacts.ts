import { ServiceError } from '#common/errors.ts';
import { validate } from '#common/http/validate.ts';
import { canonicalUsername } from '#common/username.ts';
import type { AppParts, Routes } from './app.ts';
import { toContact } from './encode.ts';
import { ContactsQuery } from './schemas.ts';

/** The first app knows no pages: the most recent of a list that is longer. */
const CONTACTS = 1_000;

/**
 * The contact list as the first app reads it: friends and everybody chatted with (strangers may write), the most recent
 * chat first, and then by name the friends never chatted with.
 */
export function contactRoutes({ graph }: AppParts): Routes {
  return {
    '/chat': {
      get: async (request, response) => {
        const { userid } = validate(ContactsQuery, request.query);
        const { username } = response.locals.identity;
        if (canonicalUsername(userid, 'userid') !== username) {
          throw new ServiceError('NOT_PERMITTED', { detail: 'That is the contact list of somebody else.' });
        }
        const contacts = await graph.contacts(username, CONTACTS);
        response.json({ contact_list_: contacts.map(toContact) });
      },
    },
  };
}
