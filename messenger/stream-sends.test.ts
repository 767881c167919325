import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import type { Draft, Entry } from './ports.ts';
import type { SendAnswer, Sender, SendRequest } from './send.ts';
import { StreamSends } from './stream-sends.ts';
import { UserRate } from './user-rate.ts';

/** Ada's stream, whose sends are answered when the test says so; it has gone past `past` in every conversation. */
function stream(inFlight = 1_000) {
  const answers: { draft: Draft; answer: SendAnswer }[] = [];
  const told: string[] = [];
  const state = { past: 0 };
  const sender = {
    admit: (_: string, { conversation, clientId }: SendRequest) =>
      ({ conversation, clientId, sender: 'ada' }) as Draft,
    commit: (draft: Draft, answer: SendAnswer) => void answers.push({ draft, answer }),
  } as unknown as Sender;
  const sends = new StreamSends(
    'ada',
    sender,
    new UserRate({ perSecond: 1e6, burst: 1e6 }, () => 0),
    inFlight,
    {
      isForEntry: () => true,
      isPast: (_, seq) => seq <= state.past,
      announce: () => true,
      sent: ({ clientId }, { seq }) => void told.push(`${clientId} is ${seq}`),
      refused: ({ clientId }, conversation, error) =>
        void told.push(`${clientId} in ${conversation}: ${error.reason}`),
    },
  );
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
    const { sends, send, entry, told, state } = stream();
    state.past = 3;
    send('ada:bob', 'old').sent(4, true);
    assert.equal(sends.hasAnswered(entry('ada:bob', 'old')), false);
    state.past = 4;
    send('ada:bob', 'new').sent(5);
    send('ada:bob', 'new').sent(5, true);
    send('ada:bob', 'new').refused(new ServiceError('CLIENT_ID_REUSED'));
    assert.equal(sends.hasAnswered(entry('ada:bob', 'new')), true, 'a read of the log comes to it later');
    assert.deepEqual(told, ['old is 4', 'new is 5', 'new is 5', 'new in ada:bob: CLIENT_ID_REUSED']);
  });

  it('are answered when all before them was told, in the order of their places, and no other waits for them', () => {
    const { sends, send, told, state } = stream();
    const [first, second, other] = [send('ada:bob', '1'), send('ada:bob', '2'), send('ada:cleo', '3')];
    second.sent(9);
    first.sent(7);
    other.sent(1);
    send('ada:bob', '4').refused(new ServiceError('UNAVAILABLE'));
    assert.deepEqual(told.splice(0), ['3 is 1', '4 in ada:bob: UNAVAILABLE']);
    sends.told([{ conversation: 'ada:bob' }]);
    assert.deepEqual(told, []);
    state.past = 6;
    sends.told([{ conversation: 'ada:bob' }]);
    assert.deepEqual(told.splice(0), ['1 is 7']);
    state.past = 8;
    sends.passed('ada:bob', 8);
    assert.deepEqual(told, ['2 is 9']);
  });

  it('count as on their way until they are answered, or the stream ends', async () => {
    const { sends, send, told, state } = stream(2);
    for (const seq of [7, 8]) send('ada:bob', `${seq}`).sent(seq);
    let hasRoom = false;
    const request = { user: '', friend: '', conversation: 'ada:bob', body: 'x', clientTime: 0n, attempt: 0 };
    const room = sends.send({ ...request, clientId: '9' })?.then(() => {
      hasRoom = true;
    });
    await turn();
    assert.equal(hasRoom, false);
    state.past = 6;
    sends.told([{ conversation: 'ada:bob' }]);
    await room;
    assert.deepEqual(told, ['7 is 7']);
    state.past = 0;
    const late = stream();
    const [held, later] = [late.send('ada:bob', '1'), late.send('ada:bob', '2')];
    held.sent(7);
    late.sends.end();
    later.sent(8);
    await late.sends.empty();
    assert.deepEqual(late.told, [], 'its client sends it again');
  });
});
