import type { LoadResult, Person, Phases } from './load.ts';
import { inTurns, openRaw } from './raw-session.ts';

export interface IdleParams {
  people: Person[];
  /** So many of them come before memory is looked at the first time: what the first ones cost is not theirs. */
  first: number;
}

const OPENED_AT_ONCE = 50;

/** Sessions that do nothing, each on a connection of its own. Waits when the first and when all are open. */
export async function runIdle({ people, first }: IdleParams, phases: Phases): Promise<LoadResult> {
  phases.begin();
  const open = (some: Person[]) =>
    inTurns(some, OPENED_AT_ONCE, (person) => {
      const session = openRaw(person, 'bench');
      session.ended.then(({ code, details }) => {
        throw new Error(`violated: an idle session ended: ${code} ${details}`);
      });
      return session.caughtUp;
    });
  await open(people.slice(0, first));
  await phases.wait('first');
  const began = performance.now();
  await open(people.slice(first));
  const seconds = (performance.now() - began) / 1000;
  await phases.wait('all');
  phases.end();
  return { figures: { sessions: people.length, 'opened per second': (people.length - first) / seconds } };
}
