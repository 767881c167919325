import type { Socket } from 'node:net';
import { RawConnection, type RawOptions } from '../../outside/raw-frames.ts';
import { connectFrom } from '../../outside/sockets.ts';

/** Where attackers come from; others come from 127.0.0.1. */
export const ATTACKER = '127.0.0.66';

/** Sockets of an attacker, all closed with it. */
export class Sockets implements AsyncDisposable {
  readonly #url: string;
  readonly #address: string;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<RawConnection>();

  constructor(url: string, address: string = ATTACKER) {
    this.#url = url;
    this.#address = address;
  }

  /** How many of them are still open. */
  get open(): number {
    const isOpen = [...this.#sockets].filter((socket) => !socket.closed);
    return isOpen.length + [...this.#connections].filter((connection) => !connection.isClosed).length;
  }

  /** Fulfils when it is connected, or refused. What is sent to it is thrown away. */
  async raw(): Promise<Socket> {
    const socket = connectFrom(this.#url, this.#address).on('data', () => {});
    this.#sockets.add(socket);
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    return socket;
  }

  async http2(options: Omit<RawOptions, 'localAddress'> = {}): Promise<RawConnection> {
    const connection = await RawConnection.open(this.#url, { ...options, localAddress: this.#address });
    this.#connections.add(connection);
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection[Symbol.dispose]();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([
      ...[...this.#connections].map((connection) => connection.closed()),
      ...[...this.#sockets].map(
        (socket) => socket.closed || new Promise((resolve) => socket.once('close', resolve)),
      ),
    ]);
  }
}
