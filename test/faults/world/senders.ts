import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceError } from '@grpc/grpc-js';
import { chatStub, unary } from '../../outside/grpc.ts';
import type { Account } from '../../outside/http.ts';

/** One send and what became of it, as the sender knows it. Times are ms of `performance.now()`. */
export interface Send {
  clientId: string;
  beganAt: number;
  endedAt: number;
  /** Where it was acknowledged. */
  seq?: number;
  refusal?: ServiceError;
}

export interface SendersOptions {
  /** A text has at least so many characters. */
  textLength?: number;
  /** From the answer to a send to the next send on its connection. */
  pauseMs?: number;
}

const PAUSE_MS = 10;

/** One person writes to a friend by unary calls, over some connections, one after the other on each. What is refused is left alone. */
export class Senders implements AsyncDisposable {
  readonly sends: Send[] = [];
  readonly #account: Account;
  readonly #friend: string;
  readonly #options: Required<SendersOptions>;
  readonly #running: Promise<unknown>;
  #isOver = false;

  constructor(urls: readonly string[], account: Account, friend: string, options: SendersOptions = {}) {
    this.#account = account;
    this.#friend = friend;
    this.#options = { textLength: 0, pauseMs: PAUSE_MS, ...options };
    this.#running = Promise.all(urls.map((url) => this.#pour(url)));
  }

  get acked(): Send[] {
    return this.sends.filter(({ seq }) => seq !== undefined);
  }

  get refused(): Send[] {
    return this.sends.filter(({ refusal }) => refusal !== undefined);
  }

  /** The next acknowledgement of a send that begins from now on, ms. @throws Error when there is none in time. */
  async nextAck(withinMs: number): Promise<number> {
    const began = performance.now();
    while (performance.now() - began < withinMs) {
      const first = this.sends.find(({ beganAt, seq }) => seq !== undefined && beganAt >= began);
      if (first !== undefined) return first.endedAt - began;
      await delay(PAUSE_MS);
    }
    throw new Error(`no send was acknowledged within ${withinMs} ms`);
  }

  async #pour(url: string): Promise<void> {
    const { textLength, pauseMs } = this.#options;
    const stub = chatStub(url);
    while (!this.#isOver) {
      this.sends.push(await send(stub, this.#account, this.#friend, randomUUID(), textLength));
      await delay(pauseMs);
    }
    stub.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

/** Its text is its client id, with spaces up to `textLength`. */
export async function send(
  stub: ReturnType<typeof chatStub>,
  { token }: Account,
  friend: string,
  clientId: string,
  textLength = 0,
): Promise<Send> {
  const beganAt = performance.now();
  const message = { friend, message: clientId.padEnd(textLength), client_id: clientId };
  try {
    const { seq } = await unary(stub, 'SendMessage', message, { token });
    return { clientId, beganAt, endedAt: performance.now(), seq: Number(seq) };
  } catch (error) {
    return { clientId, beganAt, endedAt: performance.now(), refusal: error as ServiceError };
  }
}
