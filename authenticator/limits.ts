import { MAX_DISPLAY_NAME } from '#common/http/fields.ts';
import { MAX_USERNAME } from '#common/username.ts';

/**
 * The longest texts that the stores are given, in characters (code points). The columns of every store hold them: a test compares the
 * two, for the text of a released migration cannot follow a constant.
 */
export const LIMITS = {
  username: MAX_USERNAME,
  displayName: MAX_DISPLAY_NAME,
  /** What a session is shown as: given, or cut from the name of the program. */
  device: 100,
  /** Where a caller comes from. A trusted proxy may report anything: what is longer is cut. */
  address: 64,
} as const;
