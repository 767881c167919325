import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata, status } from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import { toGrpcStatus } from '#common/grpc/status.ts';
import type { Marks } from '#proto/chatterbox/v1/entries.ts';
import { SessionClient, type SessionClientOptions } from '../../docs/examples/session-client.ts';
import { detailsOfEnd, nextAfter, toMs } from '../../docs/examples/session-errors.ts';
import { SessionState } from '../../docs/examples/session-state.ts';
import { addressOf, sessionStub, unary } from '../outside/grpc.ts';
import { type Account, call, register } from '../outside/http.ts';
import { restored } from '../outside/restored.ts';
import { type System, spawnServer } from '../outside/system.ts';
import { onEverySystem } from '../outside/systems.ts';

const UNLIMITED = { CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '1000000' };

/** A client that collects what it is shown, and waits for it. */
class Collecting {
  readonly texts: string[] = [];
  readonly client: SessionClient;
  readonly caughtUp = Promise.withResolvers<void>();
  #arrived = Promise.withResolvers<void>();

  constructor(address: string, account: Account, options: Partial<SessionClientOptions> = {}) {
    this.client = new SessionClient({
      address,
      token: () => account.token,
      device: 'phone',
      longestBackoffMs: 300,
      onEntries: (entries) => {
        for (const { message } of entries) this.texts.push(message?.text ?? '');
        this.#arrived.resolve();
        this.#arrived = Promise.withResolvers();
      },
      onCaughtUp: () => this.caughtUp.resolve(),
      ...options,
    });
  }

  async until(count: number): Promise<string[]> {
    while (this.texts.length < count) await this.#arrived.promise;
    return this.texts;
  }
}

/** One that keeps its state, and is killed before it has acknowledged what that covers. */
class Dying extends Collecting {
  readonly #saves: { last: string; next: PromiseWithResolvers<void> };

  constructor(address: string, account: Account) {
    const saves = { last: '', next: Promise.withResolvers<void>() };
    super(address, account, {
      save(state) {
        saves.last = JSON.stringify(state);
        saves.next.resolve();
        saves.next = Promise.withResolvers();
        return new Promise(() => {});
      },
    });
    this.#saves = saves;
  }

  /** The kept state, once it has reached this seq in some conversation. */
  async kept(seq: bigint): Promise<string> {
    const isReached = () => this.#saves.last.includes(`"${seq}"`);
    while (!isReached()) await this.#saves.next.promise;
    return this.#saves.last;
  }
}

onEverySystem('the example client', (start) => {
  let system: System;
  before(async () => {
    system = await start(UNLIMITED);
  });
  after(() => system[Symbol.asyncDispose]());

  it('sends many at once, is answered for each, and shows each once and in order', async () => {
    const [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    const [hers, his] = [ada, bob].map((account) => new Collecting(addressOf(system.url), account));
    await Promise.all([hers!.caughtUp.promise, his!.caughtUp.promise]);
    const texts = Array.from({ length: 1_000 }, (_, i) => `${i} ${'é'.repeat(i % 300)}`);
    const sent = await Promise.all(texts.map((text) => hers!.client.send('bob', text)));
    assert.deepEqual(
      sent.map(({ seq }) => Number(seq)),
      texts.map((_, i) => i + 1),
    );
    assert.deepEqual(await his!.until(1_000), texts);
    await assert.rejects(hers!.client.send('nobody-of-that-name', 'x'), { name: 'RefusedError', code: 5 });
    await Promise.all([hers!.client.close(), his!.client.close()]);
  });

  it('stops for good when another session of its device takes over', async () => {
    const cleo = await register(system.url, 'cleo');
    const ended = Promise.withResolvers<string>();
    const first = new Collecting(addressOf(system.url), cleo, {
      onEnd: ({ details }) => ended.resolve(details),
    });
    await first.caughtUp.promise;
    const second = new Collecting(addressOf(system.url), cleo);
    assert.match(await ended.promise, /newer stream/);
    await Promise.all([first.client.close(), second.client.close()]);
  });

  it('rejects what is refused for good, and goes on', async () => {
    const [fay, gus] = await Promise.all([register(system.url, 'fay'), register(system.url, 'gus')]);
    const ends: string[] = [];
    const hers = new Collecting(addressOf(system.url), fay, { log: (line) => ends.push(line) });
    await hers.client.send('gus', 'first', 'used');
    const refusals: [code: number, friend: string, text: string, clientId?: string][] = [
      [status.INVALID_ARGUMENT, 'gus', ''],
      [status.INVALID_ARGUMENT, 'gus', 'x'.repeat(8_001)],
      // So long that it fits into no frame.
      [status.INVALID_ARGUMENT, 'gus', 'é'.repeat(70_000)],
      [status.INVALID_ARGUMENT, '-', 'x'],
      [status.INVALID_ARGUMENT, 'g'.repeat(70_000), 'x'],
      [status.INVALID_ARGUMENT, 'gus', 'x', 'an id'],
      [status.INVALID_ARGUMENT, 'gus', 'x', 'i'.repeat(70_000)],
      [status.NOT_FOUND, 'nobody-of-that-name', 'x'],
      [status.ALREADY_EXISTS, 'gus', 'another text', 'used'],
    ];
    const sends = refusals.map(([code, ...send]) =>
      assert.rejects(hers.client.send(...send), { name: 'RefusedError', code }),
    );
    const last = hers.client.send('gus', 'last');
    await Promise.all(sends);
    assert.equal((await last).seq, 2n);
    assert.deepEqual(ends, []);
    const his = new Collecting(addressOf(system.url), gus);
    assert.deepEqual(await his.until(1), ['last']);
    await Promise.all([hers.client.close(), his.client.close()]);
  });

  it('asks for a fresh token when one is refused, again when there is none for now, and stops when the login is over', async () => {
    const hal = await register(system.url, 'hal');
    const asked: boolean[] = [];
    const ended = Promise.withResolvers<number>();
    const his = new Collecting(addressOf(system.url), hal, {
      async token(wasRefused) {
        asked.push(wasRefused);
        if (asked.length === 1) throw new Error('the authenticator is away');
        if (!wasRefused) return `${hal.token}x`;
        const { body } = await call(system.url, 'POST', '/auth/refresh', {
          json: { refresh_token: hal.refreshToken },
        });
        hal.token = body.access_token;
        return hal.token;
      },
      onEnd: ({ code }) => ended.resolve(code),
    });
    await his.caughtUp.promise;
    assert.deepEqual(asked, [false, false, true]);
    await call(system.url, 'POST', '/auth/logout', { token: hal.token });
    assert.equal(await ended.promise, status.UNAUTHENTICATED);
    await assert.rejects(his.client.send('hal', 'too late'));
    assert.equal(asked.length, 3, 'it does not come back');
    await his.client.close();
  });

  it('stops where a fresh token is refused too, and where there is none', async () => {
    for (const token of ['nonsense', undefined]) {
      const ended = Promise.withResolvers<number>();
      const client = new Collecting(
        addressOf(system.url),
        { username: 'nobody', token: '', refreshToken: '' },
        {
          token: () => token,
          onEnd: ({ code }) => ended.resolve(code),
        },
      ).client;
      const send = client.send('nobody', 'x');
      send.catch(() => {});
      assert.equal(await ended.promise, status.UNAUTHENTICATED);
      await assert.rejects(send, /the session is over/);
      await client.close();
    }
  });

  it('shows nothing twice when it goes on from what an earlier one has kept', async () => {
    const [ida, jon] = await Promise.all([register(system.url, 'ida'), register(system.url, 'jon')]);
    const address = addressOf(system.url);
    const hers = new Collecting(address, ida);
    const first = new Dying(address, jon);
    await first.caughtUp.promise;
    for (let i = 0; i < 20; i++) await hers.client.send('jon', `${i}`);
    const { seq } = await first.client.send('ida', 'mine');
    const state = SessionState.fromJSON(JSON.parse(await first.kept(seq)));
    assert.equal(first.texts.length, 20, 'the promise stands for the own one');
    // It has acknowledged nothing: one that has lost its state is told all of it again.
    const forgetful = new Dying(address, jon);
    await forgetful.until(21);
    const second = new Collecting(address, jon, { state });
    await second.caughtUp.promise;
    await hers.client.send('jon', 'new');
    assert.deepEqual(await second.until(1), ['new']);
    await Promise.all([hers.client.close(), second.client.close()]);
  });
});

describe('the example client', () => {
  it('loses and repeats nothing while the server is killed under it', async function () {
    this.timeout(120_000);
    const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    let server = await spawnServer({ DATA_DIR: dataDir, ...UNLIMITED });
    const [dan, eve] = await Promise.all([register(server.url, 'dan'), register(server.url, 'eve')]);
    const address = addressOf(server.url);
    const [his, hers] = [dan, eve].map((account) => new Collecting(address, account));
    await Promise.all([his!.caughtUp.promise, hers!.caughtUp.promise]);
    const sends: Promise<unknown>[] = [];
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 500; i++) sends.push(his!.client.send('eve', `${round}-${i}`));
      await hers!.until(round * 500 + 50);
      await server.kill();
      server = await spawnServer({ DATA_DIR: dataDir, PORT: address.split(':')[1] ?? '', ...UNLIMITED });
    }
    await Promise.all(sends);
    const expected = [0, 1, 2].flatMap((round) => Array.from({ length: 500 }, (_, i) => `${round}-${i}`));
    assert.deepEqual(await hers!.until(1_500), expected);
    await Promise.all([his!.client.close(), hers!.client.close()]);
    await server.terminate();
    rmSync(dataDir, { recursive: true });
  });
});

onEverySystem('the example client above the send rate', (start) => {
  let system: System;
  before(async () => {
    system = await start({ CHATTERBOX_SEND_RATE: '1000', CHATTERBOX_SEND_BURST: '300' });
  });
  after(() => system[Symbol.asyncDispose]());

  it('loses none of a flood, and keeps its order', async () => {
    const [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    const [hers, his] = [ada, bob].map((account) => new Collecting(addressOf(system.url), account));
    await Promise.all([hers!.caughtUp.promise, his!.caughtUp.promise]);
    const texts = Array.from({ length: 2_000 }, (_, i) => `${i}`);
    const sent = await Promise.all(texts.map((text) => hers!.client.send('bob', text)));
    assert.deepEqual(
      sent.map(({ seq }) => Number(seq)),
      texts.map((_, i) => i + 1),
    );
    assert.deepEqual(await his!.until(texts.length), texts);
    await Promise.all([hers!.client.close(), his!.client.close()]);
  });
});

onEverySystem('the example client that reads above the rate', (start) => {
  let system: System;
  before(async () => {
    system = await start({ CHATTERBOX_SEND_RATE: '4', CHATTERBOX_SEND_BURST: '10' });
  });
  after(() => system[Symbol.asyncDispose]());

  it('moves its mark all the same', async () => {
    const [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    await unary(sessionStub(system.url), 'Send', { friend: 'bob', text: 'x' }, ada);
    const isRead = Promise.withResolvers<void>();
    const his = new Collecting(addressOf(system.url), bob, {
      onMarks: (marks) => {
        const isMoved = ({ conversation, member, readSeq }: Marks) =>
          conversation === 'ada:bob' && member === 'bob' && readSeq === 1n;
        if (marks.some(isMoved)) isRead.resolve();
      },
    });
    await his.caughtUp.promise;
    // Notes to himself, which use his budget up.
    await Promise.all(Array.from({ length: 10 }, (_, i) => his.client.send('bob', `${i}`)));
    his.client.markRead('ada:bob', 1n);
    await isRead.promise;
    await his.client.close();
  });
});

describe('the example client of a server that is restored from a backup', () => {
  it('begins anew, takes new messages for new, and sends again what has no answer', async function () {
    this.timeout(120_000);
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const [data, backup] = [join(folder, 'data'), join(folder, 'backup')];
    let server = await spawnServer({ DATA_DIR: data });
    const address = addressOf(server.url);
    const start = () => spawnServer({ DATA_DIR: data, PORT: address.split(':')[1] ?? '' });
    const [kim, lea] = await Promise.all([register(server.url, 'kim'), register(server.url, 'lea')]);
    const send = (text: string) =>
      unary(sessionStub(server.url), 'Send', { friend: 'lea', text, client_id: text }, kim);
    let another = 0;
    const hers = new Collecting(address, lea, {
      onAnotherLog: () => {
        another++;
        hers.texts.length = 0;
      },
    });
    await hers.caughtUp.promise;
    await send('a1');
    await send('a2');
    assert.deepEqual(await hers.until(2), ['a1', 'a2']);
    await server.terminate();
    cpSync(data, backup, { recursive: true, filter: (path) => !path.endsWith('high-water') });
    server = await start();
    await send('a3');
    await send('a4');
    assert.deepEqual(await hers.until(4), ['a1', 'a2', 'a3', 'a4']);
    assert.equal(another, 0, 'a restart changes nothing');
    await server.terminate();
    const mine = hers.client.send('kim', 'mine');
    rmSync(data, { recursive: true });
    cpSync(backup, data, { recursive: true });
    assert.match(await restored(data), /new epoch/);
    server = await start();
    const { seq } = await mine;
    assert.equal(seq, 3n, 'the place of one that was lost');
    assert.equal(another, 1);
    // The newest entry comes again, as to any new device.
    await send('b4');
    assert.deepEqual(await hers.until(2), ['a2', 'b4']);
    await hers.client.close();
    await server.terminate();
    rmSync(folder, { recursive: true });
  });
});

describe('what the example client does after the end of a session', () => {
  const ours = { reason: 'SOME_REASON', retryMs: 0 };
  const none = { reason: '', limit: '', retryMs: 0 };
  const rows: [code: keyof typeof status, afterOurs: string, afterOthers: string][] = [
    ['OK', 'again', 'again'],
    ['CANCELLED', 'again', 'again'],
    ['UNKNOWN', 'again', 'again'],
    ['INVALID_ARGUMENT', 'stop', 'rarely'],
    ['DEADLINE_EXCEEDED', 'again', 'again'],
    ['NOT_FOUND', 'stop', 'rarely'],
    ['PERMISSION_DENIED', 'stop', 'rarely'],
    ['RESOURCE_EXHAUSTED', 'again', 'again'],
    // Another device may end its stream at any time.
    ['FAILED_PRECONDITION', 'rarely', 'rarely'],
    ['ABORTED', 'stop', 'rarely'],
    ['UNIMPLEMENTED', 'stop', 'rarely'],
    ['INTERNAL', 'again', 'again'],
    ['UNAVAILABLE', 'again', 'again'],
    ['UNAUTHENTICATED', 'refresh', 'refresh'],
  ];
  for (const [name, afterOurs, afterOthers] of rows)
    it(`after ${name} of the server: ${afterOurs}, of a proxy: ${afterOthers}`, () => {
      assert.equal(nextAfter(status[name], ours), afterOurs);
      assert.equal(nextAfter(status[name], none), afterOthers);
    });

  it('stops when the login has ended', () => {
    assert.equal(nextAfter(status.UNAUTHENTICATED, { reason: 'SESSION_ENDED', retryMs: 0 }), 'stop');
  });

  it('waits for as long as the server says, to the nanosecond, and not for what nobody can read', () => {
    assert.equal(toMs({ seconds: 1n, nanos: 250_000_000 }), 1_250);
    const end = toGrpcStatus(new ServiceError('OVERLOADED', { retryAfterMs: 1_250 }));
    assert.deepEqual(detailsOfEnd(end), { reason: 'OVERLOADED', limit: '', retryMs: 1_250 });
    const metadata = new Metadata();
    assert.deepEqual(detailsOfEnd({ metadata }), none);
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff]));
    assert.deepEqual(detailsOfEnd({ metadata }), none);
  });
});
