import { SessionClient } from '../../docs/examples/session-client.ts';
import { Channel } from './channel.ts';
import { randomId } from './client-id.ts';
import { check, type Person } from './load.ts';

const LATE_MS = 30_000;

/** Hears of what is acknowledged and delivered; times by `performance.now()`. */
export interface Counter {
  acknowledged(sentAt: number): void;
  delivered(sentAt: number, now: number): void;
}

export interface TalkerOptions {
  meter: Counter;
  bodyBytes: number;
  /** Default: time-ordered. */
  hasRandomIds?: boolean;
}

/** Somebody on a session of their own, who checks whatever they are answered and told. */
export class Talker {
  readonly username: string;
  readonly #options: TalkerOptions;
  readonly #client: SessionClient;
  readonly #to = new Map<string, Channel>();
  readonly #from = new Map<string, Channel>();
  #news = Promise.withResolvers<void>();

  private constructor(person: Person, options: TalkerOptions, onCaughtUp: () => void) {
    this.username = person.username;
    this.#options = options;
    let isLive = false;
    this.#client = new SessionClient({
      address: person.address,
      device: 'bench',
      token: () => person.token,
      onEntries: (entries) => {
        if (!isLive) return;
        const now = performance.now();
        for (const { sender, seq, message } of entries) {
          const channel = this.#from.get(sender);
          check(channel !== undefined, 'entries come from those who write');
          options.meter.delivered(channel.deliver(seq, message?.text ?? ''), now);
        }
        this.#news.resolve();
      },
      onCaughtUp() {
        isLive = true;
        onCaughtUp();
      },
      // The client would come back by itself; but nothing that is measured here may end a session. Fails the run, whoever waits.
      log: (line) => setImmediate(() => check(false, `${line} (of ${person.username})`)),
    });
  }

  /** Fulfils when they are live. */
  static async open(person: Person, options: TalkerOptions): Promise<Talker> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const talker = new Talker(person, options, resolve);
    await Promise.race([promise, talker.#news.promise]);
    return talker;
  }

  /** Fulfils when it is acknowledged. */
  send(friend: Talker): Promise<void> {
    const { meter, bodyBytes, hasRandomIds } = this.#options;
    const channel = this.#to.get(friend.username) ?? this.#join(friend);
    const sentAt = performance.now();
    const text = channel.text(bodyBytes, sentAt);
    // Without an id the client makes one that grows with time.
    return this.#client.send(friend.username, text, hasRandomIds ? randomId() : undefined).then(({ seq }) => {
      channel.acknowledge(seq);
      meter.acknowledged(sentAt);
    });
  }

  #join(friend: Talker): Channel {
    const channel = new Channel(this.username, friend.username);
    this.#to.set(friend.username, channel);
    friend.#from.set(this.username, channel);
    return channel;
  }

  /** Waits for what is still to come. @throws Error when it comes too late. */
  async settle(): Promise<void> {
    const late = setTimeout(() => this.#news.reject(new Error('violated: a delivery is missing')), LATE_MS);
    while (![...this.#from.values()].every((channel) => channel.isSettled)) {
      await this.#news.promise;
      this.#news = Promise.withResolvers();
    }
    clearTimeout(late);
  }

  /** Once all have settled. @throws Error unless everything that they sent was acknowledged, and delivered once. */
  verify(): void {
    for (const [friend, channel] of this.#to) {
      channel.verify();
      const back = this.#from.get(friend);
      Channel.verifyTogether(channel, ...(back === undefined ? [] : [back]));
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/** Opens them a few at a time. */
export async function openAll(people: readonly Person[], options: TalkerOptions): Promise<Talker[]> {
  const talkers: Talker[] = [];
  for (let i = 0; i < people.length; i += 20) {
    const some = people.slice(i, i + 20).map((person) => Talker.open(person, options));
    talkers.push(...(await Promise.all(some)));
  }
  return talkers;
}

export async function settleAll(talkers: readonly Talker[]): Promise<void> {
  await Promise.all(talkers.map((talker) => talker.settle()));
  for (const talker of talkers) talker.verify();
  await Promise.all(talkers.map((talker) => talker.close()));
}
