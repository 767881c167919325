import { runBesideAttack } from './beside-attack.ts';
import { runBursts } from './bursts.ts';
import { runBystanders } from './bystanders.ts';
import { runCatchUp } from './catch-up.ts';
import { runCrowd } from './crowd.ts';
import { runEchoStreams } from './echo-streams.ts';
import { runHistory } from './history.ts';
import { runIdle } from './idle.ts';
import { runInbox } from './inbox.ts';
import { runLogins } from './logins.ts';
import { runPairs } from './pairs.ts';
import { runPoisson } from './poisson.ts';
import { runStorm } from './storm.ts';
import { runStreams } from './streams.ts';
import { runUnary } from './unary.ts';

/** Everything that the load generator can do. */
export const LOADS = {
  pairs: runPairs,
  poisson: runPoisson,
  crowd: runCrowd,
  bursts: runBursts,
  bystanders: runBystanders,
  streams: runStreams,
  unary: runUnary,
  idle: runIdle,
  storm: runStorm,
  history: runHistory,
  inbox: runInbox,
  'catch-up': runCatchUp,
  logins: runLogins,
  'beside attack': runBesideAttack,
  'echo streams': runEchoStreams,
};

export type LoadName = keyof typeof LOADS;
export type LoadParams<Name extends LoadName> = Parameters<(typeof LOADS)[Name]>[0];
