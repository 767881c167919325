import type { ServiceError } from '#common/errors.ts';
import { toRpcStatus } from '#common/grpc/status.ts';
import type {
  RefusedRead,
  SendResponse,
  SessionResponse,
  SendRequest as WireSend,
} from '#proto/chatterbox/v1/session.ts';
import type { Status } from '#proto/google/rpc/status.ts';
import type { Gap } from '../opening.ts';
import type { Entry, Marks } from '../ports.ts';
import type { SendRequest, Sent } from '../send.ts';
import { toWireEntry, toWireMarks } from './encode.ts';

/**
 * What comes after this much begins another frame. Texts count by their UTF-16 units, of which each is three bytes at most: with the last thing in
 * it a frame has less than 1 MiB, and a client takes 4 MiB.
 */
const MAX_FRAME_SIZE = 256 * 1024;
/** What each thing in a frame costs beside its texts: numbers, times, lengths and tags, bytes at most. */
const OVERHEAD = 64;

/** The next frame of a session, as it fills: what happens in one turn of the event loop goes out together. */
export class SessionFrame {
  readonly #message: SessionResponse = {
    results: [],
    entries: [],
    gaps: [],
    marks: [],
    caughtUp: undefined,
    notice: undefined,
    pong: undefined,
    refusedReads: [],
    opened: undefined,
  };
  /** The furthest marks of each member of each conversation: less far ones say nothing that these do not. */
  readonly #marks = new Map<string, Marks>();
  #size = 0;

  /** Whether another frame should be begun. */
  get isFull(): boolean {
    return this.#size > MAX_FRAME_SIZE;
  }

  get hasPong(): boolean {
    return this.#message.pong !== undefined;
  }

  sent(sent: Sent, attempt: number): void {
    const { clientId, conversation } = sent;
    // The id stands beside it.
    this.#message.results.push({
      clientId,
      sent: { ...toSendResponse(sent), clientId: '' },
      conversation,
      attempt: BigInt(attempt),
    });
    this.#size += OVERHEAD + clientId.length + 2 * conversation.length;
  }

  refused({ clientId, attempt }: SendRequest, conversation: string, error: ServiceError): void {
    const status = toRpcStatus(error);
    this.#message.results.push({ clientId, error: status, conversation, attempt: BigInt(attempt) });
    this.#size += OVERHEAD + (clientId.length + conversation.length) + sizeOf(status);
  }

  refusedRead(refused: Omit<RefusedRead, 'error'>, error: ServiceError): void {
    const status = toRpcStatus(error);
    this.#message.refusedReads.push({ ...refused, error: status });
    this.#size += OVERHEAD + refused.conversation.length + sizeOf(status);
  }

  entry(entry: Entry): void {
    const { conversation, sender, clientId, body } = entry;
    this.#message.entries.push(toWireEntry(entry));
    this.#size += OVERHEAD + conversation.length + sender.length + clientId.length + body.length;
  }

  gap({ conversation, firstSeq, lastSeq }: Gap): void {
    this.#message.gaps.push({ conversation, firstSeq: BigInt(firstSeq), lastSeq: BigInt(lastSeq) });
    this.#size += OVERHEAD + conversation.length;
  }

  marks(marks: Marks[]): void {
    for (const mark of marks) {
      const key = `${mark.conversation} ${mark.member}`;
      const before = this.#marks.get(key);
      this.#marks.set(key, before === undefined ? mark : furthest(before, mark));
      if (before === undefined) this.#size += OVERHEAD + mark.conversation.length + mark.member.length;
    }
  }

  opened(epoch: string): void {
    this.#message.opened = { epoch };
  }

  caughtUp(revision: number, listInbox: boolean, epoch: string): void {
    this.#message.caughtUp = { revision: BigInt(revision), listInbox, epoch };
  }

  pong(number: bigint): void {
    this.#message.pong = { number };
  }

  notice({ reason, retryAfterMs }: ServiceError): void {
    const retryAfter = { seconds: BigInt(Math.ceil((retryAfterMs ?? 0) / 1000)), nanos: 0 };
    this.#message.notice = { reason, retryAfter };
  }

  /** The frame as it is sent. */
  finish(): SessionResponse {
    this.#message.marks = Array.from(this.#marks.values(), toWireMarks);
    return this.#message;
  }
}

export function toSendResponse({ conversation, seq, clientId, sentAt }: Sent): SendResponse {
  return { conversation, seq: BigInt(seq), clientId, sentTimeMs: BigInt(sentAt) };
}

export function fromWireSend(
  { friend, conversation, text, clientId, clientTimeMs }: WireSend,
  attempt: number,
): SendRequest {
  return { user: '', friend, conversation, body: text, clientId, clientTime: clientTimeMs, attempt };
}

/** Marks only move forward, and hints may overtake each other. */
function furthest(a: Marks, b: Marks): Marks {
  return {
    ...a,
    readSeq: Math.max(a.readSeq, b.readSeq),
    deliveredSeq: Math.max(a.deliveredSeq, b.deliveredSeq),
    revision: Math.max(a.revision, b.revision),
    marksRevision: Math.max(a.marksRevision, b.marksRevision),
  };
}

function sizeOf({ message, details }: Status): number {
  return details.reduce(
    (sum, { typeUrl, value }) => sum + OVERHEAD + typeUrl.length + value.length,
    message.length,
  );
}
