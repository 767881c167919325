import { invalidField } from '#common/errors.ts';
import type { SessionRequest } from '#proto/chatterbox/v1/session.ts';
import { deviceName } from '../device-name.ts';
import { LIMITS } from '../limits.ts';
import type { Claim } from '../opening.ts';
import { wholeNumber } from '../seqs.ts';
import { requireSize, toClaim } from './session-places.ts';

const EPOCH = new RegExp(`^[\\x21-\\x7e]{0,${LIMITS.epoch}}$`);
/** Of all opening frames together. */
const MAX_POSITIONS = 20_000;

/** What the first frames ask for. */
export interface Asked {
  device: string;
  revision: number;
  claims: Map<string, Claim>;
  /** The epoch that the device knows; empty for none. */
  epoch: string;
}

/** The first frames of a session, taken one by one until they say that they are all. */
export class SessionOpening {
  #asked: Asked | undefined;
  #positions = 0;

  /**
   * Takes the next frame; returns what was asked for when it is the last one, which may hold more than that.
   * @throws ServiceError INVALID_REQUEST when the stream does not begin as it should.
   */
  take(frame: SessionRequest): Asked | undefined {
    requireSize(frame);
    this.#asked ??= opened(frame);
    const { positions, morePositions } = frame;
    this.#positions += positions.length;
    if (this.#positions > MAX_POSITIONS)
      throw invalidField('positions', `must be at most ${MAX_POSITIONS} in all opening frames`);
    for (const position of positions) {
      const { conversation, ...claim } = toClaim(position);
      this.#asked.claims.set(conversation, claim);
    }
    return morePositions ? undefined : this.#asked;
  }
}

function opened({ open }: SessionRequest): Asked {
  if (open === undefined) throw invalidField('open', 'must be in the first frame');
  return {
    device: deviceName(open.device, 'open.device'),
    revision: wholeNumber(open.revision, 'open.revision', 0),
    claims: new Map(),
    epoch: requireEpoch(open.epoch),
  };
}

function requireEpoch(epoch: string): string {
  if (!EPOCH.test(epoch))
    throw invalidField('open.epoch', `must be at most ${LIMITS.epoch} visible ASCII characters`);
  return epoch;
}
