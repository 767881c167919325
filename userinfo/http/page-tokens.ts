import { createHmac, timingSafeEqual } from 'node:crypto';
import { invalidField } from '#common/errors.ts';

const MAC_BYTES = 16;

/**
 * Turns a place in a list into a `page_token` and back. A token carries a MAC over the list that it belongs to, so one
 * that was tampered with, or comes from another list, another query or another caller, is refused rather than misread.
 */
export class PageTokens {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** Empty for an empty place: there is no further page. */
  seal(list: readonly string[], place: string): string {
    if (place === '') return '';
    const text = JSON.stringify(['page token', ...list, place]);
    const mac = createHmac('sha256', this.#secret).update(text).digest().subarray(0, MAC_BYTES);
    return Buffer.concat([mac, Buffer.from(place)]).toString('base64url');
  }

  /** @throws ServiceError INVALID_REQUEST unless we gave this token for this list. */
  open(list: readonly string[], token: string): string {
    if (token === '') return '';
    const place = Buffer.from(token, 'base64url').subarray(MAC_BYTES).toString();
    const given = Buffer.from(token);
    const ours = Buffer.from(this.seal(list, place));
    if (given.length === ours.length && timingSafeEqual(given, ours)) return place;
    throw invalidField('page_token', 'is not one of this list');
  }
}
