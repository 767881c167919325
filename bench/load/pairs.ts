import { SessionClient } from '../../docs/examples/session-client.ts';
import { check, type LoadRequest, type LoadResult, Samples, stampedText, stampOf } from './report.ts';

/** Pairs of people on sessions of their own, one writing and one reading, with every acknowledgement and delivery checked. */
export async function runPairs({
  address,
  people,
  inFlight,
  bodyBytes,
  seconds,
}: LoadRequest): Promise<LoadResult> {
  const acknowledged = new Samples();
  const delivered = new Samples();
  const pairs = await Promise.all(
    Array.from({ length: people.length / 2 }, (_, i) => {
      const [from, to] = [people[2 * i], people[2 * i + 1]];
      check(from !== undefined && to !== undefined, 'two people for each pair');
      return Pair.open(address, from, to, delivered);
    }),
  );
  const began = performance.now();
  const end = began + seconds * 1000;
  const sendOn = async (pair: Pair) => {
    while (performance.now() < end) {
      const sentAt = performance.now();
      await pair.send(stampedText(bodyBytes));
      acknowledged.add(performance.now() - sentAt);
    }
  };
  await Promise.all(pairs.flatMap((pair) => Array.from({ length: inFlight }, () => sendOn(pair))));
  const took = (performance.now() - began) / 1000;
  await Promise.all(pairs.map((pair) => pair.finish()));
  const messages = pairs.reduce((sum, pair) => sum + pair.acknowledged, 0);
  return {
    messages,
    seconds: took,
    acknowledged: acknowledged.percentiles(),
    delivered: delivered.percentiles(),
  };
}

class Pair {
  acknowledged = 0;
  readonly #writer: SessionClient;
  readonly #reader: SessionClient;
  readonly #friend: string;
  readonly #state: State;

  private constructor(writer: SessionClient, reader: SessionClient, friend: string, state: State) {
    this.#writer = writer;
    this.#reader = reader;
    this.#friend = friend;
    this.#state = state;
  }

  static async open(
    address: string,
    from: LoadRequest['people'][number],
    to: LoadRequest['people'][number],
    delivered: Samples,
  ): Promise<Pair> {
    const state: State = { received: 0, last: 0n, isLive: false, news: Promise.withResolvers() };
    const ready = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const common = { address, device: 'bench' };
    const writer = new SessionClient({
      ...common,
      token: () => from.token,
      onEntries: () => {},
      onCaughtUp: () => ready[0]?.resolve(),
    });
    const reader = new SessionClient({
      ...common,
      token: () => to.token,
      onEntries(entries) {
        if (!state.isLive) return;
        const now = performance.now();
        for (const { seq, message, sender } of entries) {
          check(sender === from.username, 'entries come from the pair’s writer');
          check(state.last === 0n || seq === state.last + 1n, `seq ${seq} follows ${state.last}`);
          state.last = seq;
          state.received++;
          delivered.add(now - stampOf(message?.text ?? ''));
        }
        state.news.resolve();
        state.news = Promise.withResolvers();
      },
      onCaughtUp: () => {
        state.isLive = true;
        ready[1]?.resolve();
      },
    });
    await Promise.all(ready.map(({ promise }) => promise));
    return new Pair(writer, reader, to.username, state);
  }

  async send(text: string): Promise<void> {
    await this.#writer.send(this.#friend, text);
    this.acknowledged++;
  }

  /** Waits for every delivery. */
  async finish(): Promise<void> {
    const late = setTimeout(
      () => this.#state.news.reject(new Error('violated: a delivery is missing')),
      30_000,
    );
    while (this.#state.received < this.acknowledged) await this.#state.news.promise;
    clearTimeout(late);
    check(this.#state.received === this.acknowledged, 'everything acknowledged is delivered once');
    await Promise.all([this.#writer.close(), this.#reader.close()]);
  }
}

interface State {
  received: number;
  /** The last seq that came. */
  last: bigint;
  /** Whether what earlier runs have left is behind us. */
  isLive: boolean;
  news: PromiseWithResolvers<void>;
}
