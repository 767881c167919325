import { invalidField } from '#common/errors.ts';
import type { SessionRequest, Position as WirePosition } from '#proto/chatterbox/v1/session.ts';
import type { Acknowledgement } from '../acknowledgements.ts';
import { LIMITS } from '../limits.ts';
import { entrySeq, wholeNumber } from '../seqs.ts';

/** What a frame may hold at most of each kind; its bytes bound it too. */
const MAX_IN_FRAME = { positions: 500, sends: 1_000, acks: 5_000, reads: 1_000 } as const;

/** @throws ServiceError INVALID_REQUEST for a frame that holds too much of anything. */
export function requireSize(frame: SessionRequest): void {
  for (const [field, most] of Object.entries(MAX_IN_FRAME)) {
    const { length } = frame[field as keyof typeof MAX_IN_FRAME];
    if (length > most) throw invalidField(field, `must be at most ${most} in a frame`);
  }
}

/** @throws ServiceError INVALID_REQUEST for what cannot be a place of a conversation. */
export function toAcknowledgement(position: WirePosition): Acknowledgement {
  const marksTaken = wholeNumber(position.marksRevision, 'acks.marks_revision', 0);
  return { conversation: position.conversation, seq: entrySeq(position.seq, 'acks.seq'), marksTaken };
}

/** Where a device says that it is; 0 for nothing. @throws like `toAcknowledgement`. */
export function toClaim({ conversation, seq, marksRevision }: WirePosition): Acknowledgement {
  if (conversation === '' || conversation.length > LIMITS.conversationId)
    throw invalidField('positions.conversation', `must be 1 to ${LIMITS.conversationId} characters`);
  const marksTaken = wholeNumber(marksRevision, 'positions.marks_revision', 0);
  return { conversation, seq: wholeNumber(seq, 'positions.seq', 0), marksTaken };
}
