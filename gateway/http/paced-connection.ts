import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Client } from '../front-door.ts';

/**
 * An HTTP/1.1 connection that is answered one request at a time (RFC 9112, section 9.3.2, lets a client send
 * several without waiting). Node parses and begins all of them that arrive together. This one hands the
 * parser a piece that ends with a request's headers, and the next piece once that request is answered, or
 * needs the rest of its body; what follows stays in the socket.
 */
export class PacedConnection extends Duplex {
  readonly client: Client;
  readonly #socket: Socket;
  /** Requests that were parsed and are not answered; the first one is being answered. */
  readonly #requests: Exchange[] = [];
  #received: Buffer = Buffer.alloc(0);
  #isWanted = false;
  #isLast = false;

  constructor(socket: Socket, client: Client) {
    // One piece is parsed before the next is read.
    super({ allowHalfOpen: false, readableHighWaterMark: 1 });
    this.client = client;
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('timeout', () => this.emit('timeout'));
    socket.once('error', (error) => this.destroy(error));
    socket.once('end', () => this.#end());
    socket.once('close', () => this.destroy());
  }

  /** For Node, Express and the log: whose connection this is. */
  get remoteAddress(): string {
    return this.client.address;
  }

  /** Begins the answer to a request in its turn. */
  answer(request: IncomingMessage, response: ServerResponse, begin: () => void): void {
    this.#requests.push({ request, begin });
    // Node loses what follows it in the same piece: nothing may follow.
    if (request.headers.upgrade !== undefined) this.#isLast = true;
    if (this.#isLast) response.setHeader('connection', 'close');
    response.once('close', () => {
      this.#requests.shift();
      if (this.destroyed) return;
      // Once all who hear of the end of the answer have.
      queueMicrotask(() => this.emit('answered'));
      this.#requests[0]?.begin();
      this.#feed();
    });
    if (this.#requests.length === 1) begin();
  }

  /** Calls `then` once what has come whole is answered: now where nothing is being answered. */
  onceAnswered(then: () => void): void {
    const [first] = this.#requests;
    if (first === undefined || !first.request.complete) then();
    else this.once('answered', () => this.onceAnswered(then));
  }

  setTimeout(ms: number, listener?: () => void): this {
    this.#socket.setTimeout(ms);
    if (listener !== undefined) this.on('timeout', listener);
    return this;
  }

  /** Ends the connection when what was written has gone, as a socket does. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  override _read(): void {
    this.#isWanted = true;
    // Not now: the piece before may not have been parsed yet, and others have their turn.
    setImmediate(() => this.#feed());
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _writev(
    chunks: { chunk: Buffer | string; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.cork();
    for (const [i, { chunk, encoding }] of chunks.entries())
      this.#socket.write(chunk, encoding, i === chunks.length - 1 ? done : undefined);
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    this.#received = Buffer.alloc(0);
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    this.#feed();
    // With nothing left the socket is read on, so that its end is noticed.
    if (this.#received.length > 0) this.#socket.pause();
  }

  #feed(): void {
    if (!this.#isWanted || !this.#mayFeed() || this.destroyed) return;
    if (this.#received.length === 0) return void this.#socket.resume();
    const end = endOfPiece(this.#received);
    const piece = this.#received.subarray(0, end);
    this.#received = this.#received.subarray(end);
    this.#isWanted = false;
    this.push(piece);
  }

  #mayFeed(): boolean {
    const [first, second] = this.#requests;
    if (this.#isLast) return first !== undefined && !first.request.complete;
    return first === undefined || (second === undefined && !first.request.complete);
  }

  #end(): void {
    this.#received = Buffer.alloc(0);
    this.push(null);
  }
}

interface Exchange {
  request: IncomingMessage;
  begin(): void;
}

const END_OF_HEADERS = '\r\n\r\n';

/**
 * A piece has at least this many bytes, so that a body full of CRLFCRLF is not cut into pieces of four. It
 * holds about ten requests at the most.
 */
const SHORTEST_PIECE = 256;

function endOfPiece(bytes: Buffer): number {
  const next = bytes.indexOf(END_OF_HEADERS, SHORTEST_PIECE);
  const at = next === -1 ? bytes.lastIndexOf(END_OF_HEADERS) : next;
  return at === -1 ? bytes.length : at + END_OF_HEADERS.length;
}
