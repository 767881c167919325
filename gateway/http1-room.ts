import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { ServiceError } from '#common/errors.ts';
import { bareProblem } from './http/bare-problem.ts';
import { PacedConnection } from './http/paced-connection.ts';
import type { Limits } from './limits.ts';
import type { Start } from './starts.ts';

export interface Http1Room {
  /** A client's connection, or one inside this process that carries one request. */
  enter(connection: Duplex): void;
  /** Ends idle connections, and the others with their next answer; cuts after the grace. */
  stop(): Promise<void>;
}

/** Where HTTP/1.1 connections are served, each handed in by `enter`. */
export async function openHttp1Room(
  app: RequestListener,
  begins: Begins,
  limits: Limits,
): Promise<Http1Room> {
  const server = createServer(
    {
      headersTimeout: limits.undecidedMs,
      requestTimeout: limits.undecidedMs + limits.bodyMs,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: limits.headerBytes,
      // Without strictness two servers may disagree where a request ends.
      insecureHTTPParser: false,
    },
    inTurn(app, begins),
  );
  server.maxHeadersCount = limits.headerPairs;
  answerWhatIsNoRequest(server);
  await startTimeouts(server);
  const open = new Set<Duplex>();
  server.on('connection', (connection: Duplex) => {
    open.add(connection);
    connection.once('close', () => open.delete(connection));
  });
  let isStopping = false;
  server.prependListener('request', (_request, response) => {
    if (isStopping) response.setHeader('connection', 'close');
  });
  return {
    enter: (connection) => server.emit('connection', connection),
    async stop() {
      isStopping = true;
      server.close();
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), limits.graceMs + limits.lingerMs);
      await Promise.all([...open].map((connection) => connection.destroyed || once(connection, 'close')));
      clearTimeout(cut);
    },
  };
}

/** The answers of a connection one after the other, each begun when its address has its turn. */
function inTurn(app: RequestListener, begins: Begins): RequestListener {
  return (request, response) => {
    const { socket } = request as { socket: Duplex };
    // What came over HTTP/2 has had its turn.
    if (!(socket instanceof PacedConnection)) return app(request, response);
    const isGone = () => socket.destroyed;
    const begin = () => app(request, response);
    socket.answer(request, response, () => begins(request, { isGone, begin }));
  };
}

/** Begins the answer to a request in the turn of its address. */
export type Begins = (request: IncomingMessage, start: Start) => void;

/**
 * Node checks header and request time-outs only in a server that listens, and then of every connection. So this one listens,
 * on a socket of the file system whose name is taken away at once: nobody can connect to it, and nothing is left behind
 * however the process ends.
 */
async function startTimeouts(server: Server): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'chatterbox-'));
  try {
    server.listen(join(folder, 'http1.sock'));
    await once(server, 'listening');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What Node would answer without a body: requests that cannot be read, and those for a tunnel. */
function answerWhatIsNoRequest(server: Server): void {
  const answers = new WeakMap<Duplex, ServerResponse>();
  server.on('request', ({ socket }, response) => {
    answers.set(socket, response);
    response.once('close', () => answers.get(socket) === response && answers.delete(socket));
  });
  // An expectation that we do not know may be ignored (RFC 9110, section 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('connect', (_request, connection) =>
    onceAnswered(connection, () => endWith(connection, new ServiceError('METHOD_NOT_ALLOWED'))),
  );
  server.on('clientError', (cause: NodeJS.ErrnoException, connection) => {
    onceAnswered(connection, () => {
      const isAnswering = answers.get(connection)?.headersSent === true;
      if (isAnswering || !connection.writable || cause.code === 'ECONNRESET') return connection.destroy();
      if (cause.code === 'ERR_HTTP_REQUEST_TIMEOUT')
        return endWith(connection, new ServiceError('REQUEST_TIMEOUT', { cause }));
      const [detail, status] = CLIENT_ERRORS[cause.code ?? ''] ?? ['The request cannot be read.', 400];
      endWith(connection, new ServiceError('INVALID_REQUEST', { detail, cause }), status);
    });
  });
}

/** What follows a request that is being answered does not overtake its answer. */
function onceAnswered(connection: Duplex, then: () => void): void {
  if (connection instanceof PacedConnection) connection.onceAnswered(then);
  else then();
}

const CLIENT_ERRORS: Record<string, [detail: string, status: number]> = {
  HPE_HEADER_OVERFLOW: ['The headers are too large.', 431],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['The chunk extensions are too large.', 413],
};

function endWith(connection: Duplex, error: ServiceError, code?: number): void {
  const { status, headers, body } = bareProblem(error, code === undefined ? {} : { status: code });
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', ''].join('\r\n');
  connection.on('error', () => {}).end(head + body, () => connection.destroy());
}
