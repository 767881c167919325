import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { Chat, chatStub, unary } from '../../outside/grpc.ts';
import { type Account, passwordOf, register } from '../../outside/http.ts';

const PATIENCE_MS = 30_000;

/**
 * A client that uses every way in, each over a new connection, beside a stream that stays open, and waits at
 * most 30 s for an answer.
 */
export class Innocent {
  readonly #url: string;
  readonly #account: Account;
  /** Open for as long as the client is, and told of each message. */
  readonly #stream: Chat;
  #count = 0;

  private constructor(url: string, account: Account) {
    this.#url = url;
    this.#account = account;
    this.#stream = new Chat(chatStub(url), { token: account.token, metadata: { 'chatterbox-sync': '1' } });
  }

  static async register(url: string, name: string): Promise<Innocent> {
    const innocent = new Innocent(url, await register(url, name));
    await innocent.#stream.opened();
    return innocent;
  }

  close(): Promise<unknown> {
    return this.#stream.cut();
  }

  /** Everything once. @throws Error for what is not answered, or not as it should be. */
  async round(): Promise<void> {
    const { username, token } = this.#account;
    const signal = AbortSignal.timeout(PATIENCE_MS);
    await Promise.all([
      this.#http('GET', '/healthz', signal),
      this.#http('GET', '/auth/me', signal),
      this.#http('GET', '/chat/friends', signal),
      this.#http2('/healthz', signal),
      this.#http('POST', '/auth/login', signal, { username, password: passwordOf(username) }),
    ]);
    const stub = chatStub(this.#url);
    const message = { friend: username, message: 'hello', client_id: `${++this.#count}` };
    const { seq } = await unary(stub, 'SendMessage', message, { token });
    assert.equal(Number(seq), this.#count);
    assert.equal((await this.#stream.next()).seq, seq, 'the message reaches the open stream');
    stub.close();
  }

  async #http(method: string, path: string, signal: AbortSignal, json?: object): Promise<void> {
    const agent = new Agent();
    const headers = {
      authorization: `Bearer ${this.#account.token}`,
      ...(json && { 'content-type': 'application/json' }),
    };
    const call = request(`${this.#url}${path}`, { method, headers, agent, signal });
    const response = await new Promise<NodeJS.ReadableStream & { statusCode?: number }>((resolve, reject) => {
      call
        .once('response', resolve)
        .once('error', reject)
        .end(json && JSON.stringify(json));
    });
    const body = await text(response);
    assert.equal(response.statusCode, 200, `${path}: ${body}`);
    agent.destroy();
  }

  async #http2(path: string, signal: AbortSignal): Promise<void> {
    const session = connectHttp2(this.#url);
    const failed = new Promise<never>((_, reject) => session.once('error', reject));
    failed.catch(() => {});
    const call = session.request({ ':path': path }, { signal });
    const status = new Promise((resolve, reject) =>
      call.once('response', (headers) => resolve(headers[':status'])).once('error', reject),
    );
    assert.equal(await Promise.race([status, failed]), 200);
    await text(call);
    session.close();
  }
}
