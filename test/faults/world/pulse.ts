import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { numbers } from '../../outside/numbers.ts';

const EVERY_MS = 50;
const GIVES_UP_MS = 5_000;
const MEGABYTE = 1024 * 1024;

/** Feels a messenger's pulse: how long its health check takes, how late its event loop is, and its memory, while something is wrong with its engines. */
export class Pulse implements AsyncDisposable {
  /** The worst of the health checks and of the event loop's lags. */
  slowestMs = 0;
  largestMb = 0;
  readonly #metricsUrl: string;
  readonly #client: Client;
  readonly #running: Promise<void>;
  #isOver = false;

  /** `address`: `host:port`. */
  constructor(address: string, metricsUrl: string) {
    this.#metricsUrl = metricsUrl;
    this.#client = new Client(address, credentials.createInsecure());
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const began = performance.now();
      await this.#check();
      const checkMs = performance.now() - began;
      const lags = await numbers(this.#metricsUrl, 'chatterbox_event_loop_lag_seconds');
      const worstLag = 1_000 * Math.max(0, ...lags.map(({ value }) => value));
      this.slowestMs = Math.max(this.slowestMs, checkMs, worstLag);
      const [rss] = await numbers(this.#metricsUrl, 'process_resident_memory_bytes');
      this.largestMb = Math.max(this.largestMb, (rss?.value ?? 0) / MEGABYTE);
      await delay(EVERY_MS);
    }
  }

  #check(): Promise<void> {
    const raw = (bytes: Buffer) => bytes;
    const deadline = Date.now() + GIVES_UP_MS;
    return new Promise((resolve, reject) => {
      const answered = (error: ServiceError | null) => (error === null ? resolve() : reject(error));
      this.#client.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        raw,
        raw,
        Buffer.alloc(0),
        { deadline },
        answered,
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#running;
    this.#client.close();
  }
}
