import { invalidField } from '#common/errors.ts';
import type { SessionRequest } from '#proto/chatterbox/v1/session.ts';
import { deviceName } from '../device-name.ts';
import type { LiveCall } from '../live-calls.ts';

export type Frames = AsyncGenerator<SessionRequest>;

const OPENING_MS = 10_000;
const MAX_POSITIONS = 500;

/** What the first frames ask for. */
export interface Asked {
  device: string;
  revision: number;
  overrides: Map<string, number>;
  /** The last frame of the opening, which may hold more than that. */
  frame: SessionRequest;
}

/** @throws ServiceError INVALID_REQUEST when the stream does not begin as it should, or not soon. */
export async function readOpening(frames: Frames, live: LiveCall): Promise<Asked> {
  const late = setTimeout(() => live.end(invalidField('open', 'must come within 10 s')), OPENING_MS);
  try {
    let frame = await nextFrame(frames);
    const { open } = frame;
    if (open === undefined) throw invalidField('open', 'must be in the first frame');
    const overrides = new Map<string, number>();
    takePositions(frame, overrides);
    while (frame.morePositions) {
      frame = await nextFrame(frames);
      takePositions(frame, overrides);
    }
    return {
      device: deviceName(open.device, 'open.device'),
      revision: Number(open.revision),
      overrides,
      frame,
    };
  } finally {
    clearTimeout(late);
  }
}

async function nextFrame(frames: Frames): Promise<SessionRequest> {
  const { done, value } = await frames.next();
  if (done) throw invalidField('open', 'must come before the stream is half-closed');
  return value;
}

function takePositions({ positions }: SessionRequest, overrides: Map<string, number>): void {
  if (positions.length > MAX_POSITIONS)
    throw invalidField('positions', `must be at most ${MAX_POSITIONS} in a frame`);
  for (const { conversation, seq } of positions) overrides.set(conversation, Math.max(0, Number(seq)));
}
