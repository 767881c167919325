import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Stands between the services and an engine: makes it slow, or refuses. */
export class EngineProxy implements AsyncDisposable {
  /** The engine's url with our address. */
  readonly url: string;
  /** How late each piece arrives, in both directions. */
  delayMs = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isRefusing = false;
  refused = 0;

  private constructor(url: string, server: Server) {
    this.url = url;
    this.#server = server;
  }

  static async start(engineUrl: string): Promise<EngineProxy> {
    const target = new URL(engineUrl);
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(engineUrl);
    url.port = String((server.address() as AddressInfo).port);
    const proxy = new EngineProxy(url.href, server);
    server.on('connection', (client) => proxy.#connected(client, target));
    return proxy;
  }

  /** The connections that go through. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Resets every connection, and each new one. */
  refuse(): void {
    this.#isRefusing = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  admit(): void {
    this.#isRefusing = false;
  }

  #connected(client: Socket, target: URL): void {
    if (this.#isRefusing) {
      this.refused++;
      client.on('error', () => {}).resetAndDestroy();
      return;
    }
    const upstream = connect({ port: Number(target.port), host: target.hostname, noDelay: true });
    this.#forward(client, upstream);
    this.#forward(upstream, client);
  }

  /** In order, however the delay changes meanwhile. */
  #forward(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    let last = Promise.resolve();
    from
      .on('error', () => {})
      .on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    from.on('data', (piece) => {
      const arrival = this.delayMs === 0 ? undefined : delay(this.delayMs, undefined, { ref: false });
      last = last.then(() => arrival).then(() => void to.write(piece));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
