import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, it } from 'mocha';
import { conversationsStub, Session, sessionStub, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import type { System } from '../outside/system.ts';
import { onEverySystem } from '../outside/systems.ts';

const PEOPLE = 3;
const DEVICES = 2;

/** What somebody does; numbers choose among what there is. */
type Step =
  | { do: 'send'; person: number; device: number; friend: number; retry: boolean }
  | { do: 'acknowledge'; person: number; device: number; share: number }
  | { do: 'cut' | 'end' | 'open'; person: number; device: number }
  | { do: 'restart' };

const who = { person: fc.nat(PEOPLE - 1), device: fc.nat(DEVICES - 1) };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      ...who,
      friend: fc.nat(PEOPLE - 1),
      retry: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('acknowledge' as const), ...who, share: fc.nat(100) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'end' as const, 'open' as const), ...who }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
);

const BEGINS_WITHIN_MS = 30_000;

/** One device: what it has seen over all its streams, and what it sent. */
class Device {
  readonly account: Account;
  readonly name: string;
  /** Of entries, and of own sends that were answered. */
  readonly view: Logs = new Map();
  readonly unanswered: { friend: string; text: string; client_id: string }[] = [];
  stream: Session | undefined;
  #taken = 0;
  /** What this stream has delivered: nothing may come twice, nothing out of order. */
  #last = new Map<string, number>();

  constructor(account: Account, name: string) {
    this.account = account;
    this.name = name;
  }

  async open(url: string): Promise<void> {
    if (this.stream !== undefined) return;
    this.#taken = 0;
    this.#last = new Map();
    this.stream = new Session(sessionStub(url), this.account, { open: { device: this.name } });
    await this.stream.caughtUp();
    if (this.unanswered.length > 0) this.stream.write({ sends: this.unanswered });
  }

  send(friend: string, text: string): void {
    const message = { friend, text, client_id: text };
    this.unanswered.push(message);
    this.stream?.write({ sends: [message] });
  }

  /** Takes in what has come until now. */
  read(): void {
    const frames = this.stream?.received ?? [];
    for (; this.#taken < frames.length; this.#taken++) {
      const { entries, results } = frames[this.#taken]!;
      for (const { conversation, seq, message } of entries) {
        assert.ok(
          Number(seq) > (this.#last.get(conversation) ?? 0),
          `${conversation} ${seq} came twice or out of order`,
        );
        this.#last.set(conversation, Number(seq));
        this.see(conversation, Number(seq), message.text);
      }
      for (const { client_id, sent, error } of results) {
        assert.ok(sent, `refused: ${JSON.stringify(error)}`);
        const at = this.unanswered.findIndex((message) => message.client_id === client_id);
        if (at !== -1) this.unanswered.splice(at, 1);
        this.see(sent.conversation, Number(sent.seq), client_id);
      }
    }
  }

  see(conversation: string, seq: number, text: string): void {
    const log = this.view.get(conversation) ?? new Map<number, string>();
    this.view.set(conversation, log);
    assert.equal(log.get(seq) ?? text, text, `${conversation} ${seq} has two contents`);
    log.set(seq, text);
  }

  /** Acknowledges a share (percent) of each conversation's unbroken beginning. */
  acknowledge(share: number): void {
    this.read();
    const acks = Array.from(this.#last, ([conversation, last]) => ({
      conversation,
      seq: Math.floor((last * share) / 100),
    }));
    this.stream?.write({ acks: acks.filter(({ seq }) => seq > 0) });
  }

  async leave(how: 'cut' | 'end'): Promise<void> {
    await this.stream?.[how]();
    this.read();
    this.stream = undefined;
  }
}

onEverySystem('whatever people and their devices do', (start) => {
  let system: System;
  before(async () => {
    system = await start({ CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '1000000' });
  });
  after(() => system[Symbol.asyncDispose]());
  let runs = 0;

  it('every device ends with the same logs, nothing missing, nothing twice within a stream', async function () {
    this.timeout(120_000);
    const began = performance.now();
    // What has begun is played to its end, also on a slow machine.
    const playInTime = async (steps: Step[]) => {
      if (performance.now() - began < BEGINS_WITHIN_MS) await play(steps);
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), playInTime), {
      numRuns: 20,
      endOnFailure: true,
    });
    assert.ok(runs > 0);
  });

  async function play(steps: Step[]): Promise<void> {
    const run = ++runs;
    const people = await Promise.all(
      Array.from({ length: PEOPLE }, (_, i) => register(system.url, `p${i}-${run}`)),
    );
    const devices = people.map((person) =>
      Array.from({ length: DEVICES }, (_, i) => new Device(person, `device-${i}`)),
    );
    const all = devices.flat();
    const openAll = () => soon(Promise.all(all.map((device) => device.open(system.url))), 'open all');
    await openAll();
    let texts = 0;
    for (const s of steps) {
      if (s.do === 'restart') {
        await soon(Promise.all([system.restart(), ...all.map((device) => device.stream?.ended)]), 'restart');
        for (const device of all) device.read();
        for (const device of all) device.stream = undefined;
        continue;
      }
      const device = devices[s.person]![s.device]!;
      if (s.do === 'send')
        device.send(
          people[s.friend]!.username,
          s.retry && texts > 0 ? `${run}-${texts}` : `${run}-${++texts}`,
        );
      else if (s.do === 'acknowledge') device.acknowledge(s.share);
      else if (s.do === 'open') await soon(device.open(system.url), 'open');
      else await soon(device.leave(s.do), s.do);
    }
    await openAll();
    await until(all, (device) => device.unanswered.length === 0);
    const logs = new Map(await Promise.all(people.map(async (p) => [p, await logsOf(p)] as const)));
    await until(all, (device) => size(device.view) === size(logs.get(device.account)!));
    for (const device of all) assert.deepEqual(sorted(device.view), sorted(logs.get(device.account)!));
    await soon(Promise.all(all.map((device) => device.leave('end'))), 'leave');
  }

  /** Reads until it holds for every device; after ten seconds the assertions that follow say what is missing. */
  async function until(devices: Device[], holds: (device: Device) => boolean): Promise<void> {
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
      for (const device of devices) device.read();
      if (devices.every(holds)) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** What the server holds for somebody, without gaps. */
  async function logsOf(account: Account): Promise<Logs> {
    const stub = conversationsStub(system.url);
    const { conversations } = await unary(stub, 'ListConversations', {}, account);
    const logs: Logs = new Map();
    for (const { id } of conversations) {
      const { entries } = await unary(stub, 'ListEntries', { conversation: id, page_size: 100 }, account);
      const seqs = entries.map((e: { seq: string }) => Number(e.seq));
      assert.deepEqual(
        seqs,
        seqs.map((_: number, i: number) => i + 1),
      );
      logs.set(id, new Map(entries.map((e: any) => [Number(e.seq), e.message.text])));
    }
    return logs;
  }
});

/** Rejects when it takes longer than ten seconds. */
function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what} did not come to its end`)), 10_000);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** conversation → seq → text. */
type Logs = Map<string, Map<number, string>>;

function size(logs: Logs): number {
  return [...logs.values()].reduce((sum, log) => sum + log.size, 0);
}

function sorted(logs: Logs): unknown {
  const bySeq = (log: Map<number, string>) => [...log].toSorted(([a], [b]) => a - b);
  return Array.from(logs, ([conversation, log]) => [conversation, bySeq(log)]).toSorted();
}
