import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, RequestHandler } from 'express';
import { invalidField, ServiceError } from '../errors.ts';

/**
 * Refuses a path or query with escapes that are not hexadecimal or not UTF-8: the parser of queries would
 * read something else into them. Bytes that are not ASCII do not come so far: Node's parser refuses them.
 */
export const plainUrl: RequestHandler = (request, _response, next) => {
  if (!isPlain(request.originalUrl))
    throw new ServiceError('INVALID_REQUEST', {
      detail: 'The escapes in the path and query must be UTF-8.',
    });
  next();
};

/**
 * Refuses a body before it is parsed, as `verify` of express.json, whose decoder puts U+FFFD for what is not
 * UTF-8.
 * @throws ServiceError UNSUPPORTED_MEDIA_TYPE for another charset, INVALID_REQUEST for other bytes.
 */
export function requireUtf8(
  _request: IncomingMessage,
  _response: ServerResponse,
  body: Buffer,
  charset: string,
): void {
  if (charset !== 'utf-8') throw new ServiceError('UNSUPPORTED_MEDIA_TYPE');
  if (!isUtf8(body)) throw invalidField('body', 'must be UTF-8');
}

/**
 * Refuses a parsed body with half of a surrogate pair in a string or a member's name: JSON has escapes for
 * what is no character.
 */
export const wellFormedBody: RequestHandler = (request, _response, next) => {
  // Not recursive: a body may be nested thousands deep.
  const left = [{ field: 'body', value: request.body as unknown }];
  for (let item = left.pop(); item !== undefined; item = left.pop()) {
    const { field, value } = item;
    if (typeof value === 'string' && !value.isWellFormed()) throw invalidField(field, NO_CHARACTER);
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, member] of Object.entries(value)) {
      if (!name.isWellFormed()) throw invalidField(field, NO_CHARACTER);
      left.push({ field: field === 'body' ? name : field, value: member });
    }
  }
  next();
};

const NO_CHARACTER = 'must not have an escape that is not a character';

/**
 * A header as text. Node reads each byte as a character of Latin-1. Undefined when there is none.
 * @throws ServiceError INVALID_REQUEST naming the header when its bytes are not UTF-8.
 */
export function headerText(request: Request, name: string): string | undefined {
  const given = request.get(name);
  if (given === undefined) return undefined;
  const bytes = Buffer.from(given, 'latin1');
  if (!isUtf8(bytes)) throw invalidField(name, 'must be UTF-8');
  return bytes.toString();
}

function isPlain(url: string): boolean {
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}
