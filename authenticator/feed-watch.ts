import type { Bus } from '#common/bus/bus.ts';
import type { Log } from '#common/log.ts';
import type { FeedEnds } from './ports.ts';
import { Signal } from './signal.ts';

/** On which authenticators tell each other of commits. */
const SUBJECTS = { registered: 'chatterbox.accounts', ended: 'chatterbox.revocations' };

const POLL_MS = 1_500;

/**
 * Tells the followers of this node what other nodes have committed to the same store. A hint on the bus makes it look at once. Hints may
 * be lost, so it also looks every 1.5 s: one query of two rows, however many follow. Hints that come while it looks make it look once more.
 */
export class FeedWatch implements AsyncDisposable {
  /** Accounts were made. */
  readonly registered: Signal;
  /** Sessions have ended. */
  readonly ended: Signal;
  readonly #store: Ends;
  readonly #log: Log;
  readonly #subscriptions: Disposable[];
  #seen = { accounts: 0, revocations: 0 };
  #looking: Promise<void> | undefined;
  #isAskedAgain = false;
  #isFailing = false;
  #timer: NodeJS.Timeout;

  constructor(store: Ends, bus: Bus, log: Log) {
    this.#store = store;
    this.#log = log;
    this.registered = new Signal(() => bus.publish(SUBJECTS.registered));
    this.ended = new Signal(() => bus.publish(SUBJECTS.ended));
    this.#subscriptions = Object.values(SUBJECTS).map((subject) =>
      bus.subscribe(subject, () => this.#look()),
    );
    this.#timer = setInterval(() => this.#look(), POLL_MS);
  }

  #look(): void {
    this.#isAskedAgain = this.#looking !== undefined;
    this.#looking ??= this.#compare().finally(() => {
      this.#looking = undefined;
      if (this.#isAskedAgain) this.#look();
    });
  }

  async #compare(): Promise<void> {
    try {
      const { accounts, revocations } = await this.#store.ends();
      // Less than before after a fall back to an older copy: the followers are to be told of that too.
      if (accounts !== this.#seen.accounts) this.registered.hear();
      if (revocations !== this.#seen.revocations) this.ended.hear();
      this.#seen = { accounts, revocations };
      this.#isFailing = false;
    } catch (error) {
      // Once, not every time: the readiness check tells of it for as long as it lasts.
      if (!this.#isFailing)
        this.#log.warn({ cause: String(error) }, 'could not look for news of other nodes');
      this.#isFailing = true;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#isAskedAgain = false;
    await this.#looking;
  }
}

interface Ends {
  ends(): Promise<Pick<FeedEnds, 'accounts' | 'revocations'>>;
}
