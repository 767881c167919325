import { invalidField } from '#common/errors.ts';
import type { SessionRequest } from '#proto/chatterbox/v1/session.ts';
import { deviceName } from '../device-name.ts';

const MAX_POSITIONS = 500;

/** What the first frames ask for. */
export interface Asked {
  device: string;
  revision: number;
  overrides: Map<string, number>;
}

/** The first frames of a session, taken one by one until they say that they are all. */
export class SessionOpening {
  #asked: Asked | undefined;

  /**
   * Takes the next frame; returns what was asked for when it is the last one, which may hold more than that.
   * @throws ServiceError INVALID_REQUEST when the stream does not begin as it should.
   */
  take(frame: SessionRequest): Asked | undefined {
    this.#asked ??= opened(frame);
    const { positions, morePositions } = frame;
    if (positions.length > MAX_POSITIONS)
      throw invalidField('positions', `must be at most ${MAX_POSITIONS} in a frame`);
    for (const { conversation, seq } of positions)
      this.#asked.overrides.set(conversation, Math.max(0, Number(seq)));
    return morePositions ? undefined : this.#asked;
  }
}

function opened({ open }: SessionRequest): Asked {
  if (open === undefined) throw invalidField('open', 'must be in the first frame');
  return {
    device: deviceName(open.device, 'open.device'),
    revision: Number(open.revision),
    overrides: new Map(),
  };
}
