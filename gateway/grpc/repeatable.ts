const SEND_MESSAGE = '/org.harshit.messenger.chat.ChatService/SendMessage';
const SESSION = '/chatterbox.v1.SessionService';
const CONVERSATIONS = '/chatterbox.v1.ConversationsService';

/** The sends, with the field that holds the client_id: by it a second one is recognised as the first. */
const CLIENT_ID_FIELDS = new Map([
  [SEND_MESSAGE, 5],
  [`${SESSION}/Send`, 4],
]);

/** The calls that change nothing the second time. */
const IDEMPOTENT = new Set([
  `${CONVERSATIONS}/ListConversations`,
  `${CONVERSATIONS}/ListEntries`,
  `${CONVERSATIONS}/CountUnread`,
  `${CONVERSATIONS}/MarkRead`,
  '/grpc.health.v1.Health/Check',
]);

const MESSAGE_HEAD = 5;

/**
 * Whether a unary request may be made twice although the first may have been carried out. `body` is the whole
 * request: one gRPC message with its head of a flag and a length. A compressed one is not looked into.
 */
export function isRepeatable(path: string, body: Buffer): boolean {
  if (IDEMPOTENT.has(path)) return true;
  const wanted = CLIENT_ID_FIELDS.get(path);
  if (wanted === undefined || body.length < MESSAGE_HEAD || body[0] !== 0) return false;
  if (body.readUInt32BE(1) !== body.length - MESSAGE_HEAD) return false;
  return hasFilledField(body.subarray(MESSAGE_HEAD), wanted);
}

/** Walks over the fields of a protobuf message; the last occurrence of a field is the one that counts. */
function hasFilledField(message: Buffer, wanted: number): boolean {
  let isFilled = false;
  let at = 0;
  while (at < message.length) {
    const tag = readVarint(message, at);
    const isLengthed = (tag.value & 7) === 2;
    const content = isLengthed ? readVarint(message, tag.end) : tag;
    if (isLengthed && tag.value >>> 3 === wanted) isFilled = content.value > 0;
    const size = isLengthed ? content.value : sizeOf(tag.value & 7, message, tag.end);
    at = content.end + size;
    if (!(size >= 0) || at > message.length) return false;
  }
  return isFilled;
}

function sizeOf(wireType: number, message: Buffer, at: number): number {
  if (wireType === 0) return readVarint(message, at).end - at;
  if (wireType === 1) return 8;
  return wireType === 5 ? 4 : Number.NaN;
}

/** At most ten bytes; a value past 2^31 comes out wrong, and no size or tag here is one. */
function readVarint(message: Buffer, from: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = message[from + i];
    if (byte === undefined) break;
    if (i < 5) value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value, end: from + i + 1 };
  }
  return { value: Number.NaN, end: Number.NaN };
}
