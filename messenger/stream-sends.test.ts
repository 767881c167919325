import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import type { Draft, Entry } from './ports.ts';
import type { SendAnswer, Sender, SendRequest } from './send.ts';
import { SendRate } from './send-rate.ts';
import { StreamSends } from './stream-sends.ts';

/** Ada's stream, whose sends are answered when the test says so; it has gone past `past` in every conversation. */
function stream() {
  const answers: { draft: Draft; answer: SendAnswer }[] = [];
  const told: string[] = [];
  const state = { past: 0 };
  const sender = {
    admit: (_: string, { conversation, clientId }: SendRequest) =>
      ({ conversation, clientId, sender: 'ada' }) as Draft,
    commit: (draft: Draft, answer: SendAnswer) => void answers.push({ draft, answer }),
  } as unknown as Sender;
  const sends = new StreamSends('ada', sender, new SendRate({ perSecond: 1e6, burst: 1e6 }, () => 0), 1_000, {
    isForEntry: () => true,
    isPast: (_, seq) => seq <= state.past,
    sent: ({ clientId }, { seq }) => void told.push(`${clientId} is ${seq}`),
    refused: ({ clientId }, conversation, error) =>
      void told.push(`${clientId} in ${conversation}: ${error.reason}`),
  });
  const send = (conversation: string, clientId: string) => {
    const before = answers.length;
    const request = { user: '', friend: '', conversation, body: 'x', clientId, clientTime: 0n, attempt: 0 };
    sends.send(request);
    const { answer } = answers[before] as { answer: SendAnswer };
    const sent = (seq: number, isRetry = false) =>
      answer.sent({ conversation, seq, clientId, sentAt: 0, isRetry });
    return { sent, refused: (error: ServiceError) => answer.refused(error) };
  };
  const entry = (conversation: string, clientId: string): Entry =>
    ({ conversation, clientId, sender: 'ada' }) as Entry;
  return { sends, send, entry, told, state };
}

describe('the sends of a stream', () => {
  it('are known again when their entries come by, once, before their answer and after it', () => {
    const { sends, send, entry } = stream();
    const first = send('ada:bob', '1');
    assert.equal(sends.hasAnswered(entry('ada:bob', '1')), true);
    first.sent(1);
    send('ada:bob', '2').sent(2);
    assert.deepEqual(
      [1, 2].map(() => sends.hasAnswered(entry('ada:bob', '2'))),
      [true, false],
    );
  });

  it('of the same id in two conversations are told apart', () => {
    const { sends, send, entry } = stream();
    for (const conversation of ['ada:bob', 'ada:cleo']) send(conversation, 'same').sent(1);
    for (const conversation of ['ada:bob', 'ada:cleo', 'ada:dan'])
      assert.equal(sends.hasAnswered(entry(conversation, 'same')), conversation !== 'ada:dan');
  });

  it('are forgotten when the device acknowledges them, for they do not come by then', () => {
    const { sends, send, entry, state } = stream();
    for (const seq of [1, 2, 3]) send('ada:bob', `${seq}`).sent(seq);
    sends.passed('ada:bob', 2);
    assert.deepEqual(
      [1, 2, 3].map((seq) => sends.hasAnswered(entry('ada:bob', `${seq}`))),
      [false, false, true],
    );
    state.past = 9;
    send('ada:bob', '9').sent(9);
    assert.equal(sends.hasAnswered(entry('ada:bob', '9')), false, 'it was acknowledged before its answer');
  });

  it('that are retries hide no entry of an earlier stream, and none of their own comes twice', () => {
    const { sends, send, entry, told } = stream();
    send('ada:bob', 'old').sent(4, true);
    assert.equal(sends.hasAnswered(entry('ada:bob', 'old')), false);
    send('ada:bob', 'new').sent(5);
    send('ada:bob', 'new').sent(5, true);
    send('ada:bob', 'new').refused(new ServiceError('CLIENT_ID_REUSED'));
    assert.equal(sends.hasAnswered(entry('ada:bob', 'new')), true, 'a read of the log comes to it later');
    assert.deepEqual(told, ['old is 4', 'new is 5', 'new is 5', 'new in ada:bob: CLIENT_ID_REUSED']);
  });
});
