import type { z } from 'zod';
import { ServiceError } from '../errors.ts';

/**
 * What a body or query says, checked and typed by its schema.
 * @throws ServiceError INVALID_REQUEST naming every field that is wrong.
 */
export function validate<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input ?? {}, { error: plainWords });
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => ({
    field: issue.path.join('.') || 'body',
    description: issue.message,
  }));
  throw new ServiceError('INVALID_REQUEST', {
    detail: fields.map((f) => `${f.field}: ${f.description}`).join('; '),
    fields,
  });
}

/** What no schema says of itself: that the whole is of another kind, or has more than it should. */
const plainWords: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'unrecognized_keys') return `does not know ${issue.keys.join(', ')}`;
  if (issue.code === 'invalid_type' && (issue.path ?? []).length === 0) return 'must be a JSON object';
  return undefined;
};
