import { z } from 'zod';

/** Whether a text has so many code points: what people count as characters, near enough. */
export function isBetween(text: string, min: number, max: number): boolean {
  const length = text.length > 2 * max ? Number.POSITIVE_INFINITY : [...text].length;
  return length >= min && length <= max;
}

/** C0 and C1, line separators, and what turns the direction of writing: a name must not reorder what stands beside it. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

export const MAX_DISPLAY_NAME = 64;

/** How somebody wants to be called: 1 to 64 characters, without control characters. */
export const DisplayName = z
  .string('must be text')
  .trim()
  .refine((text) => isBetween(text, 1, MAX_DISPLAY_NAME), `must have 1 to ${MAX_DISPLAY_NAME} characters`)
  .refine((text) => text.isWellFormed() && !CONTROLS.test(text), 'must not have control characters');

/** A text that must be there. */
export const Required = z.string({
  error: ({ input }) => (input === undefined ? 'is required' : 'must be text'),
});
