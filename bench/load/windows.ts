import { type Percentiles, Samples } from './samples.ts';
import type { Counter } from './talker.ts';

/** Counts acknowledgements apart, by what else happens at the time: before and during a storm, without and with logins. */
export class Windows implements Counter {
  readonly #samples = new Map<string, Samples>();
  readonly #seconds = new Map<string, number>();
  #now: { name: string; since: number } | undefined;

  enter(name: string): void {
    this.leave();
    if (!this.#samples.has(name)) this.#samples.set(name, new Samples());
    this.#now = { name, since: performance.now() };
  }

  leave(): void {
    if (this.#now === undefined) return;
    const { name, since } = this.#now;
    const seconds = (performance.now() - since) / 1000;
    this.#seconds.set(name, (this.#seconds.get(name) ?? 0) + seconds);
    this.#now = undefined;
  }

  acknowledged(sentAt: number): void {
    if (this.#now !== undefined) this.#samples.get(this.#now.name)?.add(performance.now() - sentAt);
  }

  delivered(): void {}

  rate(name: string): number {
    return (this.#samples.get(name)?.count ?? 0) / (this.#seconds.get(name) ?? Number.NaN);
  }

  percentiles(name: string): Percentiles {
    return this.#samples.get(name)?.percentiles() ?? { p50: Number.NaN, p99: Number.NaN };
  }
}
