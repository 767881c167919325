import type { z } from 'zod';
import { ServiceError } from '../errors.ts';

/**
 * What a body or query says, checked and typed by its schema.
 * @throws ServiceError INVALID_REQUEST naming every field that is wrong.
 */
export function validate<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input ?? {});
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
