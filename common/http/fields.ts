import { z } from 'zod';

/** Whether a text has so many code points: what people count as characters, near enough. */
export function isBetween(text: string, min: number, max: number): boolean {
  const length = text.length > 2 * max ? Number.POSITIVE_INFINITY : [...text].length;
  return length >= min && length <= max;
}

/** How somebody wants to be called: 1 to 64 characters, without control characters. */
export const DisplayName = z
  .string('must be text')
  .trim()
  .refine((text) => isBetween(text, 1, 64), 'must have 1 to 64 characters')
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'must not have control characters');

/** A text that must be there. */
export const Required = z.string('is required, as text');
