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
    return Buffer.concat([this.#mac(list, place), Buffer.from(place)]).toString('base64url');
  }

  /** @throws ServiceError INVALID_REQUEST unless we gave this token for this list. */
  open(list: readonly string[], token: string): string {
    if (token === '') return '';
    const bytes = Buffer.from(token, 'base64url');
    const mac = bytes.subarray(0, MAC_BYTES);
    const place = bytes.subarray(MAC_BYTES).toString();
    if (mac.length === MAC_BYTES && timingSafeEqual(mac, this.#mac(list, place))) return place;
    throw invalidField('page_token', 'is not one of this list');
  }

  #mac(list: readonly string[], place: string): Buffer {
    const text = JSON.stringify(['page token', ...list, place]);
    return createHmac('sha256', this.#secret).update(text).digest().subarray(0, MAC_BYTES);
  }
}
