import { invalidField } from '#common/errors.ts';
import { LIMITS } from './limits.ts';

const DEVICE_NAME = new RegExp(`^[\\x21-\\x7e]{1,${LIMITS.deviceName}}$`);

/** A device's name as given, checked. @throws ServiceError INVALID_REQUEST naming `field`. */
export function deviceName(name: string, field: string): string {
  if (DEVICE_NAME.test(name)) return name;
  throw invalidField(field, `must be 1 to ${LIMITS.deviceName} visible ASCII characters`);
}
