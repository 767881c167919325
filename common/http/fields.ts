import { z } from 'zod';
import { isSystemName } from '../text/reserved-names.ts';
import { nameProblem, normalText } from '../text/visible.ts';

/** Whether a text has so many code points: what people count as characters, near enough. */
export function isBetween(text: string, min: number, max: number): boolean {
  const length = text.length > 2 * max ? Number.POSITIVE_INFINITY : [...text].length;
  return length >= min && length <= max;
}

/** In code points of NFC, as it is stored. */
export const MAX_DISPLAY_NAME = 64;

/**
 * A display name: 1 to 64 characters in NFC, by the rule of common/text/visible.ts, and no
 * name of the system.
 */
export const DisplayName = z
  .string('must be text')
  .transform((text) => normalText(text).trim())
  .superRefine((name, context) => {
    const problem = isBetween(name, 1, MAX_DISPLAY_NAME)
      ? (nameProblem(name) ?? (isSystemName(name) ? 'is reserved' : undefined))
      : `must have 1 to ${MAX_DISPLAY_NAME} characters`;
    if (problem !== undefined) context.addIssue(problem);
  });

/** A text that must be there. */
export const Required = z.string({
  error: ({ input }) => (input === undefined ? 'is required' : 'must be text'),
});
