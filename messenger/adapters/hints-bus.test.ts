import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { afterEach, describe, it } from 'mocha';
import type { Bus } from '#common/bus/bus.ts';
import { LocalBus } from '#common/bus/local.ts';
import type { Entry, HintListener, Marks } from '../ports.ts';
import { BusHints } from './hints-bus.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const entry = (conversation: string, seq: number, body = 'hello'): Entry => ({
  conversation,
  seq,
  sender: 'ada',
  clientId: `id-${seq}`,
  sentAt: 1_763_700_000_000 + seq,
  clientTime: -5n,
  messagesSoFar: seq,
  body,
});

describe('hints over the bus', () => {
  const nodes: BusHints[] = [];
  /** What the steady clock tells. */
  let now = 0;
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node[Symbol.asyncDispose]();
  });
  const start = (bus: Bus) => {
    const node = new BusHints(bus, () => now);
    nodes.push(node);
    return node;
  };

  /** Everything that a node hears of a user. */
  const listen = (node: BusHints, user: string) => {
    const heard: unknown[] = [];
    const hear =
      (kind: string) =>
      (...what: unknown[]) =>
        heard.push([kind, ...what]);
    const listener: HintListener = {
      entries: hear('entries'),
      heads: hear('heads'),
      marks: hear('marks'),
      opened: hear('opened'),
    };
    node.listen(user, listener);
    return heard;
  };

  it('bring entries, marks and openings as they are to the nodes that hold a member, and to no other', async () => {
    const bus = new LocalBus();
    const [one, other, third] = [start(bus.connect()), start(bus.connect()), start(bus.connect())];
    await turn();
    const [bobs, cleos] = [listen(other, 'bob'), listen(third, 'cleo')];
    const marks: Marks[] = [
      { conversation: 'ada:bob', member: 'ada', readSeq: 3, deliveredSeq: 2, revision: 9, marksRevision: 7 },
    ];
    one.tellEntries([entry('ada:bob', 1), entry('ada:ada', 1), entry('ada:bob', 2)]);
    one.tellMarks(marks);
    one.tellOpened('bob', 'phone', 17);
    await turn();
    assert.deepEqual(bobs, [
      ['entries', [entry('ada:bob', 1), entry('ada:bob', 2)]],
      ['marks', marks],
      ['opened', 'phone', { time: 17, node: one.node }],
    ]);
    assert.deepEqual(cleos, []);
  });

  it('say how far a conversation goes where there is too much to say', async () => {
    const bus = new LocalBus();
    const [one, other] = [start(bus.connect()), start(bus.connect())];
    await turn();
    const bobs = listen(other, 'bob');
    const long = 'é'.repeat(8_000);
    one.tellEntries(Array.from({ length: 20 }, (_, i) => entry('ada:bob', i + 1, long)));
    await turn();
    assert.deepEqual(bobs, [['heads', [{ conversation: 'ada:bob', lastSeq: 20 }]]]);
  });

  it('are not given while no other node is alive', async () => {
    const subjects: string[] = [];
    const bus = new LocalBus().connect();
    const counting: Bus = { ...bus, publish: (subject) => subjects.push(subject) };
    start(counting).tellEntries([entry('ada:bob', 1)]);
    assert.deepEqual(subjects, ['chatterbox.nodes.alive']);
  });

  it('know the others no longer when they were silent for more than 5 s', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      const bus = new LocalBus();
      const one = start(bus.connect());
      const other = start(bus.connect());
      await turn();
      await turn();
      await other[Symbol.asyncDispose]();
      now += 5_000;
      mock.timers.tick(1_000);
      assert.equal(one.others, 1);
      now += 1;
      mock.timers.tick(1_000);
      assert.equal(one.others, 0);
    } finally {
      mock.timers.reset();
    }
  });

  it('know the others from when they first say that they are alive', async () => {
    const bus = new LocalBus();
    const one = start(bus.connect());
    const other = start(bus.connect());
    await turn();
    await turn();
    assert.deepEqual([one.others, other.others], [1, 1]);
  });
});
