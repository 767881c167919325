import { z } from 'zod';
import { DisplayName, isBetween, Required } from '#common/http/fields.ts';
import { fold } from '../search-terms.ts';

const LONGEST_URL = 2_048;

/** Every list takes these. */
const PAGE = {
  page_size: z.coerce
    .number<string>('must be a number')
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .max(100, 'must be 100 or less')
    .default(50),
  page_token: z.string('must be given once').max(4_096, 'is not one of ours').default(''),
};

export const PageQuery = z.object(PAGE);

export const SearchQuery = z.object({
  ...PAGE,
  query: z
    .string('is required')
    .trim()
    .refine((text) => isBetween(text, 1, 64) && fold(text) !== '', 'must have 1 to 64 characters'),
});

export const RequestsQuery = z
  .object({ ...PAGE, direction: z.enum(['incoming', 'outgoing'], 'must be incoming or outgoing').optional() })
  .refine((query) => query.page_token === '' || query.direction !== undefined, {
    path: ['direction'],
    message: 'must say which list the page_token belongs to',
  });

export const ContactsQuery = z.object({ userid: z.string('is required, once') });

export const AskBody = z.strictObject({ username: Required });

export const ProfileBody = z.strictObject({
  display_name: DisplayName.optional(),
  about: z
    .string('must be text')
    .refine((text) => isBetween(text, 0, 500), 'must have 500 characters or less')
    .refine(
      (text) => text.isWellFormed() && !/[^\P{Cc}\t\n\r]/u.test(text),
      'must not have control characters',
    )
    .optional(),
  avatar_url: z
    .string('must be text')
    .max(LONGEST_URL, `must have ${LONGEST_URL} characters or less`)
    .refine(isWebUrl, 'must be an http:// or https:// URL, or empty')
    .optional(),
});

/** A URL parser forgives white space and control characters; who shows the picture may not. */
function isWebUrl(text: string): boolean {
  return (
    text === '' || (/^https?:\/\/[^\s\p{Cc}]+$/iu.test(text) && text.isWellFormed() && URL.canParse(text))
  );
}
