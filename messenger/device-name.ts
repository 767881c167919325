import { invalidField } from '#common/errors.ts';

const DEVICE_NAME = /^[\x21-\x7e]{1,64}$/;

/** A device's name as given, checked. @throws ServiceError INVALID_REQUEST naming `field`. */
export function deviceName(name: string, field: string): string {
  if (DEVICE_NAME.test(name)) return name;
  throw invalidField(field, 'must be 1 to 64 visible ASCII characters');
}
