import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';

/** gRPC messages: an empty HealthCheckRequest, and a HealthCheckResponse that says SERVING. */
const REQUEST = Buffer.alloc(5);
const SERVING = Buffer.from([0, 0, 0, 0, 2, 0x08, 1]);

const LONGEST_ANSWER = 1_024;

/** A connection without an answer for so long is given up. */
const DEAD_MS = 5_000;

/**
 * Asks one messenger for its health (grpc.health.v1), over a connection of its own that is opened again after every failure. A messenger
 * that is only slow keeps its connection, and its answer counts when it comes: a new one would be the last in its queue.
 */
export class Probe implements Disposable {
  readonly #address: string;
  #session: ClientHttp2Session | undefined;
  /** What was asked and not answered in time. */
  #late: Promise<boolean> | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  /** Whether it serves. Rejects when there is no answer within `timeoutMs`. */
  async check(timeoutMs: number): Promise<boolean> {
    const answer = this.#late ?? this.#ask();
    this.#late = undefined;
    if (await isSettled(answer, timeoutMs)) return answer;
    this.#late = answer;
    answer.catch(() => this.forget(answer));
    throw new Error('no answer in time');
  }

  /** What it still answers to an earlier question is no news. */
  forget(answer = this.#late): void {
    if (this.#late === answer) this.#late = undefined;
  }

  async #ask(): Promise<boolean> {
    const session = this.#open();
    const dead = setTimeout(() => session.destroy(new Error('no answer')), DEAD_MS);
    try {
      const call = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      call.end(REQUEST);
      return (await answerOf(call)).equals(SERVING);
    } catch (error) {
      session.destroy();
      throw error;
    } finally {
      clearTimeout(dead);
    }
  }

  #open(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed)
      return this.#session;
    this.#session = connect(`http://${this.#address}`, { settings: { enablePush: false } });
    this.#session.on('error', () => {});
    return this.#session;
  }

  [Symbol.dispose](): void {
    this.#session?.destroy();
  }
}

/** Whether it is within so long. */
function isSettled(promise: Promise<unknown>, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    // A turn later: where it is we who were slow, the answer lies there already.
    const timer = setTimeout(() => setImmediate(resolve, false), withinMs);
    const settled = () => {
      clearTimeout(timer);
      resolve(true);
    };
    promise.then(settled, settled);
  });
}

function answerOf(call: ClientHttp2Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    call.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > LONGEST_ANSWER) call.destroy();
      else chunks.push(chunk);
    });
    call.once('error', reject);
    call.once('close', () => {
      if (call.rstCode === 0 && call.readableEnded) resolve(Buffer.concat(chunks));
      else reject(new Error(`reset with code ${call.rstCode}`));
    });
  });
}
