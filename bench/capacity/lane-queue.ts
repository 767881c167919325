/** How long a batch of n takes: fixed + each * n, seconds. */
export interface BatchTime {
  fixed: number;
  each: number;
}

export interface QueueResult {
  /** Messages per second that came through. */
  rate: number;
  /** From arrival to acknowledgement, ms. */
  p50: number;
  p99: number;
  /** Messages of a batch, on average. */
  batch: number;
}

export interface QueueOptions {
  /** Of the lane that commits. */
  batch: BatchTime;
  /** Most that go together. */
  cap: number;
  /** What the one thread beside the lane spends on each message: decode, encode, deliver; seconds. */
  transport: number;
  random: () => number;
  messages: number;
}

/**
 * Two stations in a row: the event loop, which takes messages one by one, and the lane, which takes all that wait, up to its cap, while
 * more gather behind it. The second is the bulk-service queue of N. T. J. Bailey (1954) with a service time that grows with the batch.
 * Messages come by a Poisson process.
 */
export function openQueue(perSecond: number, options: QueueOptions): QueueResult {
  let at = 0;
  const arrivals = Array.from({ length: options.messages }, () => {
    at += -Math.log(1 - options.random()) / perSecond;
    return at;
  });
  return run(arrivals, [], options);
}

/** The same stations with so many messages always on their way: whoever is acknowledged sends the next at once. */
export function closedQueue(inFlight: number, options: QueueOptions): QueueResult {
  return run(
    [],
    Array.from({ length: inFlight }, () => 0),
    options,
  );
}

/** `arrivals`, ascending, come whatever happens; `circulating` come again when they are acknowledged. */
function run(arrivals: number[], circulating: number[], options: QueueOptions): QueueResult {
  const { batch, cap, transport, messages } = options;
  const times: number[] = [];
  // Both in the order of time: what comes in from outside, and what comes again.
  let [outside, batches, loopFree, laneFree] = [0, 0, 0, 0];
  const again = [...circulating];
  const ready: { arrived: number; ready: number }[] = [];
  const admit = (until: number) => {
    for (;;) {
      const next = Math.min(
        arrivals[outside] ?? Number.POSITIVE_INFINITY,
        again[0] ?? Number.POSITIVE_INFINITY,
      );
      if (Math.max(next, loopFree) + transport > until) return;
      if (next === again[0]) again.shift();
      else outside++;
      loopFree = Math.max(next, loopFree) + transport;
      ready.push({ arrived: next, ready: loopFree });
    }
  };
  const goal = arrivals.length > 0 ? arrivals.length : messages;
  while (times.length < goal) {
    admit(laneFree);
    if (ready.length === 0) {
      const next = Math.min(
        arrivals[outside] ?? Number.POSITIVE_INFINITY,
        again[0] ?? Number.POSITIVE_INFINITY,
      );
      laneFree = Math.max(next, loopFree) + transport;
      admit(laneFree);
    }
    const taken = ready.splice(0, cap);
    laneFree += batch.fixed + batch.each * taken.length;
    batches++;
    for (const { arrived } of taken) {
      times.push(laneFree - arrived);
      if (circulating.length > 0) again.push(laneFree);
    }
  }
  // The first tenth only fills the stations.
  const kept = times.slice(Math.floor(times.length / 10)).sort((a, b) => a - b);
  const percentile = (share: number) => (kept[Math.floor(kept.length * share)] ?? Number.NaN) * 1000;
  return {
    rate: times.length / laneFree,
    p50: percentile(0.5),
    p99: percentile(0.99),
    batch: times.length / batches,
  };
}
