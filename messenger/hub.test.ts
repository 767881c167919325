import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { describe, it } from 'mocha';
import { Hub, type Listener } from './hub.ts';
import type { Entry, HintListener, Hints } from './ports.ts';

/** Hints that are kept, and can be given as if another node did. */
function recordedHints() {
  const listeners = new Map<string, HintListener>();
  const told: unknown[] = [];
  const hints: Hints = {
    node: 'm',
    tellEntries: (entries) => told.push(['entries', entries.length]),
    tellMarks: (marks) => told.push(['marks', marks.length]),
    tellOpened: (user, device, openedAt) => told.push(['opened', user, device, openedAt]),
    listen(user, listener) {
      listeners.set(user, listener);
      return { [Symbol.dispose]: () => void listeners.delete(user) };
    },
  };
  return { hints, listeners, told };
}

function listenerOf(user: string, device: string) {
  const heard: unknown[] = [];
  const listener: Listener = {
    user,
    device,
    push: (entries) => heard.push(entries.map(({ seq }) => seq)),
    announce: ({ lastSeq }) => heard.push(`up to ${lastSeq}`) > 0,
    pushMarks: (marks) => heard.push(marks),
    replaced: () => heard.push('replaced'),
  };
  return { ...listener, heard };
}

const entry = (conversation: string, seq: number) => ({ conversation, seq }) as Entry;

describe('the hub', () => {
  it('listens for a user while one of their devices is here', () => {
    const { hints, listeners } = recordedHints();
    const hub = new Hub(hints, () => 1);
    const leavePhone = hub.join(listenerOf('ada', 'phone'));
    const leaveLaptop = hub.join(listenerOf('ada', 'laptop'));
    leavePhone();
    assert.deepEqual([...listeners.keys()], ['ada']);
    assert.equal(hub.size, 1);
    leaveLaptop();
    assert.deepEqual([...listeners.keys()], []);
  });

  it('ends the older stream of a device, whichever node the newer one is at', () => {
    const { hints, listeners, told } = recordedHints();
    let now = 10;
    const hub = new Hub(hints, () => now);
    const [first, second] = [listenerOf('ada', 'phone'), listenerOf('ada', 'phone')];
    const leaveFirst = hub.join(first);
    now = 20;
    hub.join(second);
    leaveFirst();
    assert.deepEqual(first.heard, ['replaced']);
    assert.deepEqual(told, [
      ['opened', 'ada', 'phone', 10],
      ['opened', 'ada', 'phone', 20],
    ]);
    const opened = (device: string, time: number, node = 'other') =>
      listeners.get('ada')?.opened(device, { time, node });
    opened('phone', 15);
    opened('laptop', 30);
    opened('phone', 20, 'a');
    assert.deepEqual(
      second.heard,
      [],
      'an older stream, another device, and one of the same time at a lesser node',
    );
    opened('phone', 30);
    assert.deepEqual(second.heard, ['replaced']);
  });

  it('of two streams that open in the same millisecond at two nodes ends the same one at both', () => {
    const nodes = ['a', 'b'].map((node) => {
      const { hints, listeners } = recordedHints();
      const stream = listenerOf('ada', 'phone');
      new Hub({ ...hints, node }, () => 10).join(stream);
      return { node, stream, listeners };
    });
    for (const { node, listeners } of nodes)
      listeners.get('ada')?.opened('phone', { time: 10, node: node === 'a' ? 'b' : 'a' });
    assert.deepEqual(
      nodes.map(({ stream }) => stream.heard),
      [['replaced'], []],
    );
  });

  it('tells of a new stream once more, for a hint may be lost, unless it has gone', () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const { hints, told } = recordedHints();
      const hub = new Hub(hints, () => 10);
      hub.join(listenerOf('ada', 'phone'));
      const leave = hub.join(listenerOf('bob', 'phone'));
      leave();
      mock.timers.tick(1_000);
      mock.timers.tick(1_000);
      mock.timers.tick(5_000);
      assert.deepEqual(told, [
        ['opened', 'ada', 'phone', 10],
        ['opened', 'bob', 'phone', 10],
        ['opened', 'ada', 'phone', 10],
      ]);
    } finally {
      mock.timers.reset();
    }
  });

  it('tells all members of what is committed here, and the user alone of what others hint at', () => {
    const { hints, listeners, told } = recordedHints();
    const hub = new Hub(hints, () => 1);
    const [ada, bob] = [listenerOf('ada', 'phone'), listenerOf('bob', 'phone')];
    hub.join(ada);
    hub.join(bob);
    hub.publish([entry('ada:bob', 1), entry('ada:ada', 7), entry('ada:bob', 2)]);
    assert.deepEqual([ada.heard, bob.heard], [[[1, 2], [7]], [[1, 2]]]);
    assert.deepEqual(told.at(-1), ['entries', 3]);
    listeners.get('bob')?.entries([entry('ada:bob', 3)]);
    listeners.get('bob')?.heads([{ conversation: 'ada:bob', lastSeq: 4 }]);
    assert.deepEqual(bob.heard, [[1, 2], [3], 'up to 4']);
    assert.equal(hub.announce({ conversation: 'ada:bob', lastSeq: 5 }), 2);
    assert.equal(ada.heard.at(-1), 'up to 5');
  });
});
