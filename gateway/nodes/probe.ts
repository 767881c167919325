import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';

/** gRPC messages: an empty HealthCheckRequest, and a HealthCheckResponse that says SERVING. */
const REQUEST = Buffer.alloc(5);
const SERVING = Buffer.from([0, 0, 0, 0, 2, 0x08, 1]);

const LONGEST_ANSWER = 1_024;

/** Asks one messenger for its health (grpc.health.v1), over a connection of its own that is opened again after every failure. */
export class Probe implements Disposable {
  readonly #address: string;
  #session: ClientHttp2Session | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  /** Whether it serves. Rejects when there is no answer within `timeoutMs`. */
  async check(timeoutMs: number): Promise<boolean> {
    const session = this.#open();
    // A turn later: where it is we who were slow, the answer lies there already.
    const silent = setTimeout(
      () => setImmediate(() => session.destroy(new Error('no answer in time'))),
      timeoutMs,
    );
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
      clearTimeout(silent);
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
