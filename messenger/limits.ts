import { MAX_USERNAME } from '#common/username.ts';

const MAX_DEVICE_NAME = 64;
const LONGEST_CONTRACT = 'session/';

/**
 * The longest texts that callers may give, in characters (code points). The columns of every store hold them: a test compares the two,
 * for the text of a released migration cannot follow a constant.
 */
export const LIMITS = {
  username: MAX_USERNAME,
  deviceName: MAX_DEVICE_NAME,
  /** A device as it is stored: its name, after the contract that it speaks, `chat/` or `session/`. */
  storedDevice: LONGEST_CONTRACT.length + MAX_DEVICE_NAME,
  clientId: 64,
  /** Two usernames and a colon. */
  conversationId: 2 * MAX_USERNAME + 1,
  text: 8_000,
  /** The epoch of the log. */
  epoch: 64,
  /** The name of a reader of the journal. */
  journalReader: 255,
} as const;
