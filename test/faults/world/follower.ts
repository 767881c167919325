import { setTimeout as delay } from 'node:timers/promises';
import { SessionClient } from '../../../docs/examples/session-client.ts';
import { addressOf } from '../../outside/grpc.ts';
import type { Account } from '../../outside/http.ts';

export interface Shown {
  seq: number;
  clientId: string;
  /** Ms of `performance.now()`. */
  at: number;
}

/** A device that follows one conversation in a session of its own, and keeps what it was shown. */
export class Follower implements AsyncDisposable {
  readonly shown: Shown[] = [];
  readonly client: SessionClient;
  readonly #caughtUp = Promise.withResolvers<void>();

  private constructor(url: string, { token }: Account, device: string) {
    this.client = new SessionClient({
      address: addressOf(url),
      token: () => token,
      device,
      onEntries: (entries) => {
        const at = performance.now();
        for (const { seq, clientId } of entries) this.shown.push({ seq: Number(seq), clientId, at });
      },
      onCaughtUp: () => this.#caughtUp.resolve(),
    });
  }

  /** A new device begins with what comes after it has opened. */
  static async open(url: string, account: Account, device: string): Promise<Follower> {
    const follower = new Follower(url, account, device);
    await follower.#caughtUp.promise;
    return follower;
  }

  /** Once it was shown the entry. @throws Error when that takes too long. */
  async reaches(seq: number, withinMs = 20_000): Promise<void> {
    for (const end = performance.now() + withinMs; performance.now() < end; await delay(5))
      if ((this.shown.at(-1)?.seq ?? 0) >= seq) return;
    throw new Error(`it was shown ${this.shown.at(-1)?.seq}, not ${seq}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.client.close();
  }
}
