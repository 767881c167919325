import { z } from 'zod';
import { DisplayName, isBetween, Required } from '#common/http/fields.ts';
import { linesProblem, normalText, textProblem } from '#common/text/visible.ts';
import { fold } from '../search-terms.ts';

/** In code points of NFC. */
const MAX_ABOUT = 500;

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
    .transform(normalText)
    .superRefine((text, context) => {
      const problem = isBetween(text, 0, MAX_ABOUT)
        ? linesProblem(text)
        : `must have ${MAX_ABOUT} characters or less`;
      if (problem !== undefined) context.addIssue(problem);
    })
    .optional(),
  avatar_url: z
    .string('must be text')
    .max(LONGEST_URL, `must have ${LONGEST_URL} characters or less`)
    .refine(isPictureUrl, 'must be an https:// URL without a user and password, or empty')
    .optional(),
});

/**
 * A URL parser forgives white space, control characters and backslashes; the program that shows the picture
 * may not. Anything before an @ passes for the host to a reader.
 */
function isPictureUrl(text: string): boolean {
  if (text === '') return true;
  const [, authority] = /^https:\/\/([^/?#\s\\]+)[^\s\\]*$/iu.exec(text) ?? [];
  return (
    authority !== undefined &&
    !authority.includes('@') &&
    textProblem(text) === undefined &&
    URL.canParse(text)
  );
}
