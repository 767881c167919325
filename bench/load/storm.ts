import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Entry } from '#proto/chatterbox/v1/entries.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import { inTurns, newStub, openRaw } from './raw-session.ts';

export interface StormParams {
  /** Who is cut. */
  people: Person[];
  /** What each of them has missed, which they never acknowledge: it comes again with each session. */
  missedConversations: number;
  missedEach: number;
}

const OPENED_AT_ONCE = 50;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 2_000;

/** All connections of many sessions break at once; all come back and resume. Waits before the cut, and when they are back. */
export async function runStorm(params: StormParams, phases: Phases): Promise<LoadResult> {
  const { people } = params;
  const sockets = new Set<Socket>();
  const collect = (message: unknown) => sockets.add((message as { socket: Socket }).socket);

  subscribe('net.client.socket', collect);
  const stubs = people.map(({ address }) => newStub(address));
  const ends: Promise<void>[] = [];
  await inTurns(people, OPENED_AT_ONCE, async (person, i) => {
    const session = resume(person, stubs[i], params);
    await session.done;
    ends.push(session.ended);
  });
  unsubscribe('net.client.socket', collect);

  await phases.wait('cut');
  phases.begin();
  const cutAt = performance.now();
  for (const socket of sockets) socket.destroy();
  await Promise.all(ends);
  const backAt = await Promise.all(people.map((person, i) => comeBack(person, stubs[i], params)));
  phases.end();
  await phases.wait('back');
  return { figures: { 'all caught up after, s': (Math.max(...backAt) - cutAt) / 1000 } };
}

/** Tries until it is caught up, with growing pauses of full jitter. Fulfils with when it was. */
async function comeBack(person: Person, stub: Stub, params: StormParams): Promise<number> {
  for (let backoff = FIRST_BACKOFF_MS; ; backoff = Math.min(2 * backoff, LONGEST_BACKOFF_MS)) {
    await delay(Math.random() * backoff);
    const caughtUp = await resume(person, stub, params).done.then(
      () => true,
      (error: unknown) => {
        if (String(error).includes('violated')) throw error;
        return false;
      },
    );
    if (caughtUp) return performance.now();
  }
}

/** `done` fulfils when everything missed has come, in order and once. */
function resume(person: Person, stub: Stub, { missedConversations, missedEach }: StormParams) {
  const seqs = new Map<string, number>();
  const take = ({ conversation, seq }: Entry) => {
    const last = seqs.get(conversation) ?? 0;
    check(Number(seq) === last + 1, `missed entries come in order and once: ${seq} after ${last}`);
    seqs.set(conversation, Number(seq));
  };
  const session = openRaw(person, 'phone', ({ entries }) => entries.forEach(take), stub);
  const done = session.caughtUp.then(() => {
    const isComplete = [...seqs.values()].every((seq) => seq === missedEach);
    check(isComplete && seqs.size === missedConversations, 'everything missed comes before caught_up');
  });
  return { done, ended: session.ended.then(() => {}) };
}

type Stub = ReturnType<typeof newStub> | undefined;
