import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection to the server at `url` from this loopback address: each client of a test has one of its own. */
export function connectFrom(url: string, localAddress: string): Socket {
  const { port } = new URL(url);
  return connect({ host: '127.0.0.1', port: Number(port), localAddress }).on('error', () => {});
}

/** What comes first after this was sent; undefined when the connection is closed instead. */
export async function firstAnswer(socket: Socket, sent: string | Buffer): Promise<string | undefined> {
  socket.write(sent);
  const closed = new Promise<undefined>((resolve) => socket.once('close', () => resolve(undefined)));
  return Promise.race([once(socket, 'data').then(([chunk]) => String(chunk)), closed]);
}
