import type { ServiceError } from '#common/errors.ts';
import { toRpcStatus } from '#common/grpc/status.ts';
import type { SendResponse, SessionResponse, SendRequest as WireSend } from '#proto/chatterbox/v1/session.ts';
import type { Gap } from '../opening.ts';
import type { Entry, Marks } from '../ports.ts';
import type { SendRequest, Sent } from '../send.ts';
import { toWireEntry, toWireMarks } from './encode.ts';

/** Entries with more text than this (UTF-16 units) go into another frame. */
const MAX_FRAME_TEXT = 256 * 1024;

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
  };
  /** The latest marks of each member of each conversation: older ones say nothing that these do not. */
  readonly #marks = new Map<string, Marks>();
  #text = 0;

  /** Whether another frame should be begun. */
  get isFull(): boolean {
    return this.#text > MAX_FRAME_TEXT;
  }

  sent(sent: Sent): void {
    // The id stands beside it.
    this.#message.results.push({ clientId: sent.clientId, sent: { ...toSendResponse(sent), clientId: '' } });
  }

  refused(clientId: string, error: ServiceError): undefined {
    this.#message.results.push({ clientId, error: toRpcStatus(error) });
  }

  entry(entry: Entry): void {
    this.#text += entry.body.length;
    this.#message.entries.push(toWireEntry(entry));
  }

  gaps(gaps: Gap[]): void {
    for (const { conversation, firstSeq, lastSeq } of gaps) {
      this.#message.gaps.push({ conversation, firstSeq: BigInt(firstSeq), lastSeq: BigInt(lastSeq) });
    }
  }

  marks(marks: Marks[]): void {
    for (const mark of marks) this.#marks.set(`${mark.conversation} ${mark.member}`, mark);
  }

  caughtUp(revision: number): void {
    this.#message.caughtUp = { revision: BigInt(revision) };
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

export function fromWireSend({ friend, conversation, text, clientId, clientTimeMs }: WireSend): SendRequest {
  return { user: '', friend, conversation, body: text, clientId, clientTime: clientTimeMs };
}
