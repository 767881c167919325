/** What one client, and all of them together, may take. Times are ms, sizes bytes. */
export const LIMITS = {
  connections: 20_000,
  /** Sockets that have not said yet which protocol they speak. */
  undecidedConnections: 5_000,
  /** Of these, from one address: enough for all people behind the address of a mobile network. */
  connectionsPerAddress: 2_000,
  undecidedPerAddress: 256,
  /** Requests over HTTP that are read or answered, from one address. */
  requestsPerAddress: 256,
  /** Of these, how many the services behind us have at a time; the others wait. */
  forwardedPerAddress: 64,
  /** Calls, open streams among them, from one address. */
  callsPerAddress: 10_000,
  /** Of these, how many need no token: health and reflection. */
  tokenlessPerAddress: 32,
  /** How long one that asks for reflection may stay open. */
  reflectionMs: 60_000,
  /** What may be sent on one that needs no token: some hundred questions. */
  tokenlessBytes: 4_096,
  /** Streams that a user has open. */
  streamsPerUser: 256,
  /** Connections that the kernel keeps until we take them: after a restart all clients come at once. */
  backlog: 4_096,
  undecidedMs: 5_000,
  headerBytes: 32_768,
  headerPairs: 128,
  /** Headers of a gRPC call that are passed on. */
  callHeaderBytes: 8_192,
  bodyBytes: 65_536,
  /** How long the body of a request, or the request of a unary call, may take to arrive. */
  bodyMs: 8_000,
  /** How long a client may take to fetch the answer to a request or a unary call. */
  answerMs: 30_000,
  streamsPerConnection: 256,
  /**
   * New requests and calls of one address: above this rate they wait, and in a turn of the event loop few
   * begin.
   */
  startsPerSecond: 1_000,
  startsPerTurn: 16,
  /** Streams that wait for that; above it they are refused, and may be tried again. */
  waitingStarts: 1_000,
  /** Streams that a client resets: above this Node ends the connection. */
  resetsPerSecond: 33,
  resetBurst: 600,
  /** The same on a connection of a proxy, which is that of many clients. */
  proxyResetsPerSecond: 1_000,
  proxyResetBurst: 10_000,
  /** Requests of one HTTP/2 connection that are carried over HTTP/1.1 at a time; some others wait. */
  bridgedPerConnection: 8,
  waitingBridgedPerConnection: 24,
  /** Pages of history or of the inbox that a user is sent at a time; the others wait. */
  pagesPerUser: 4,
  waitingPagesPerUser: 200,
  /** MB; Node counts the buffers of a session's streams. */
  sessionMemory: 10,
  pingEveryMs: 30_000,
  pingTimeoutMs: 10_000,
  idleMs: 5 * 60_000,
  /** A connection is told to come again after this, so that load spreads over new nodes. */
  ageMs: 60 * 60_000,
  /** How long calls in flight may go on after their connection was told to come again. */
  graceMs: 2_000,
  /** How long a client may take to fetch the last frames. */
  lingerMs: 2_000,
  // Below the ten seconds that many callers wait.
  upstreamMs: 9_000,
  connectMs: 8_000,
  /** How often a call is sent, the first time included; spread over `replayWithinMs` where there is no other node. */
  tries: 8,
  replayBytes: 65_536,
  /** How long the messengers may be away before a call that can be sent again fails: longer than one of them takes to restart. */
  replayWithinMs: 5_000,
  /** How often each messenger is asked for its health, and how long it may take to answer. */
  checkEveryMs: 500,
  checkTimeoutMs: 1_000,
  /** After so long without an answer from a messenger its streams are ended, so that they go on at another one. */
  stalledMs: 2_000,
  /** The same where there is no other one. */
  lostMs: 10_000,
  /** How often names of messengers are resolved again. */
  resolveEveryMs: 5_000,
  /** Calls of a client go over a new connection, to the emptiest messenger, after this. */
  linkAgeMs: 30 * 60_000,
};

export type Limits = typeof LIMITS;

/** What one too many of an address is told. */
export const TOO_MANY_OF_ADDRESS = 'Too many requests from this address are in flight.';
