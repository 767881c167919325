import type { Conversation } from '#proto/chatterbox/v1/conversations.ts';
import type { Entry as WireEntry, Marks as WireMarks } from '#proto/chatterbox/v1/entries.ts';
import type { Timestamp } from '#proto/google/protobuf/timestamp.ts';
import type { ConversationSummary, Entry, Marks } from '../ports.ts';

export function toConversation({
  id,
  members,
  lastSeq,
  createdAt,
  lastEntry,
  unread,
  marks,
}: ConversationSummary): Conversation {
  return {
    id,
    members,
    lastSeq: BigInt(lastSeq),
    lastEntry: toWireEntry(lastEntry),
    createTime: toTimestamp(BigInt(createdAt)),
    updateTime: toTimestamp(BigInt(lastEntry.sentAt)),
    unread: BigInt(unread),
    marks: marks.map(toWireMarks),
  };
}

export function toWireEntry({
  conversation,
  seq,
  sender,
  clientId,
  sentAt,
  clientTime,
  messagesSoFar,
  body,
}: Entry): WireEntry {
  return {
    conversation,
    seq: BigInt(seq),
    sender,
    clientId,
    sentTime: toTimestamp(BigInt(sentAt)),
    clientTime: clientTime === 0n ? undefined : toTimestamp(clientTime),
    messagesSoFar: BigInt(messagesSoFar),
    message: { text: body },
  };
}

export function toWireMarks({
  conversation,
  member,
  readSeq,
  deliveredSeq,
  revision,
  marksRevision,
}: Marks): WireMarks {
  return {
    conversation,
    member,
    readSeq: BigInt(readSeq),
    deliveredSeq: BigInt(deliveredSeq),
    revision: BigInt(revision),
    marksRevision: BigInt(marksRevision),
  };
}

/** What google.protobuf.Timestamp can say: the years 1 to 9999. */
const FIRST_MS = -62_135_596_800_000n;
const LAST_MS = 253_402_300_799_999n;

/** Undefined for a time that a Timestamp cannot say, which only a client's clock can be. */
function toTimestamp(ms: bigint): Timestamp | undefined {
  if (ms < FIRST_MS || ms > LAST_MS) return undefined;
  const fraction = ((ms % 1000n) + 1000n) % 1000n;
  return { seconds: (ms - fraction) / 1000n, nanos: Number(fraction) * 1_000_000 };
}
