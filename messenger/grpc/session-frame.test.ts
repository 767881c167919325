import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { invalidField } from '#common/errors.ts';
import { SessionResponse } from '#proto/chatterbox/v1/session.ts';
import type { Entry, Marks } from '../ports.ts';
import type { SessionFrame } from './session-frame.ts';
import { SessionFrames } from './session-frames.ts';

/** What a client takes in one message, by the default of every gRPC library. */
const CLIENT_TAKES = 4 * 1024 * 1024;

const conversation = `${'a'.repeat(64)}:${'b'.repeat(64)}`;
const [member, clientId] = ['m'.repeat(64), 'c'.repeat(64)];
const seqs = {
  readSeq: 2 ** 53 - 1,
  deliveredSeq: 2 ** 53 - 1,
  revision: 2 ** 53 - 1,
  marksRevision: 2 ** 53 - 1,
};

const request = {
  user: '',
  friend: '',
  conversation: '',
  body: '',
  clientId: '',
  clientTime: 0n,
  attempt: 2 ** 53 - 1,
};

/** Every kind of thing at its largest. */
const THINGS: Record<string, (frame: SessionFrame, i: number) => void> = {
  'texts of 8,000 characters of three bytes': (frame, seq) =>
    frame.entry({
      ...{ conversation, seq, sender: member, clientId, sentAt: 0, clientTime: 0n, messagesSoFar: seq },
      body: '漢'.repeat(8_000),
    } satisfies Entry),
  gaps: (frame, i) => frame.gap({ conversation: `${conversation}${i}`, firstSeq: 1, lastSeq: 2 ** 53 - 1 }),
  marks: (frame, i) =>
    frame.marks([{ conversation: `${conversation}${i}`, member, ...seqs } satisfies Marks]),
  'refused sends': (frame) =>
    frame.refused({ ...request, clientId }, conversation, invalidField('message', 'must not be empty')),
  'sends with an id that is none': (frame) =>
    frame.refused(
      { ...request, clientId: '漢'.repeat(300) },
      '',
      invalidField('client_id', 'must be 1 to 64 visible ASCII characters'),
    ),
  'refused reads': (frame) =>
    frame.refusedRead(
      { conversation, seq: 2n ** 63n - 1n },
      invalidField('reads.seq', 'must be 1 to 2^53 - 1'),
    ),
  'answered sends': (frame) =>
    frame.sent(
      { conversation, seq: 2 ** 53 - 1, clientId, sentAt: 2 ** 53 - 1, isRetry: false },
      2 ** 53 - 1,
    ),
};

describe('the frames of a session', () => {
  for (const [what, put] of Object.entries(THINGS)) {
    it(`are far smaller than a client takes, however many ${what} there are`, () => {
      const sizes: number[] = [];
      const written = (frame: SessionResponse) =>
        sizes.push(SessionResponse.encode(frame).finish().length) > 0;
      const frames = new SessionFrames({ write: written } as never, {});
      for (let i = 0; i < 20_000 && sizes.length < 20; i++) put(frames.next(), i);
      frames.close();
      assert.ok(sizes.length > 1, 'more than one frame');
      assert.ok(Math.max(...sizes) < CLIENT_TAKES / 4, `${Math.max(...sizes)} bytes`);
    });
  }

  it('carry the furthest of each mark, in whatever order hints come', () => {
    const sent: SessionResponse[] = [];
    const frames = new SessionFrames(
      { write: (frame: SessionResponse) => sent.push(frame) > 0 } as never,
      {},
    );
    const mark = (
      readSeq: number,
      deliveredSeq: number,
      revision: number,
      marksRevision: number,
    ): Marks[] => [{ conversation, member, readSeq, deliveredSeq, revision, marksRevision }];
    frames.next().marks(mark(5, 7, 3, 9));
    frames.next().marks(mark(4, 9, 2, 8));
    frames.close();
    assert.deepEqual(
      sent.flatMap((frame) => frame.marks),
      [{ conversation, member, readSeq: 5n, deliveredSeq: 9n, revision: 3n, marksRevision: 9n }],
    );
  });
});
