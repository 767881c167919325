import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { createLog } from '../log.ts';
import { createApp, jsonBody } from './app.ts';
import { type HttpServer, startHttpServer } from './server.ts';
import { headerText } from './text.ts';

describe('text over HTTP', () => {
  let server: HttpServer;
  before(async () => {
    const app = createApp(createLog('test', 'silent'), (routes) => {
      routes.post('/body', ...jsonBody, (asked, response) => void response.json(asked.body));
      routes.get('/agent', (asked, response) => void response.json(headerText(asked, 'user-agent') ?? null));
      routes.get('/path/:name', (asked, response) => void response.json([asked.params.name, asked.query]));
    });
    server = await startHttpServer(app, '127.0.0.1', 0);
  });
  after(() => server[Symbol.asyncDispose]());

  /** Every character of the path and of the headers goes out as one byte. */
  const call = async (method: string, path: string, headers: Record<string, string>, body?: Buffer) => {
    const { hostname, port } = new URL(server.url);
    const asked = request({ hostname, port, method, path: '/', headers });
    // What Node would refuse to send: others send it.
    Object.assign(asked, { path });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    const said = await text(answer);
    return { status: answer.statusCode, body: (said === '' ? undefined : JSON.parse(said)) as unknown };
  };
  const post = (body: Buffer | string, headers: Record<string, string> = {}) =>
    call('POST', '/body', { 'content-type': 'application/json', ...headers }, Buffer.from(body));
  const latin1 = (bytes: Uint8Array | string) => Buffer.from(bytes as string).toString('latin1');

  it('is refused in a body exactly where its bytes are not UTF-8, and else arrives as it is', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 6, min: 0x80 }),
      fc.string({ unit: 'binary', minLength: 1 }).map((text) => new Uint8Array(Buffer.from(text))),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (given) => {
        fc.pre(!given.some((byte) => byte < 0x20 || byte === 0x22 || byte === 0x5c));
        const answer = await post(Buffer.concat([Buffer.from('{"a":"'), given, Buffer.from('"}')]));
        const read = utf8(given);
        assert.equal(answer.status, read === undefined ? 400 : 200);
        if (read !== undefined) assert.deepEqual(answer.body, { a: read });
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  for (const [what, body] of [
    ['Latin-1', Buffer.from('{"password":"schön und gut"}', 'latin1')],
    ['half a surrogate pair as bytes', Buffer.from('{"a":"\xed\xa0\x80"}', 'latin1')],
    ['an overlong form', Buffer.from('{"a":"\xc0\xaf"}', 'latin1')],
    ['a character cut short', Buffer.from('{"a":"\xf0\x9f\x98"}', 'latin1')],
    ['the name of a member', Buffer.from('{"\xe9":1}', 'latin1')],
  ] as const)
    it(`is refused where a body has ${what}`, async () => {
      const { status, body: problem } = await post(body);
      assert.equal(status, 400);
      assert.deepEqual((problem as Problem).errors, [{ field: 'body', detail: 'must be UTF-8' }]);
      assert.equal((await post(gzipSync(body), { 'content-encoding': 'gzip' })).status, 400);
    });

  for (const [what, body, field] of [
    ['a string', String.raw`{"a":"\ud800"}`, 'a'],
    ['a string with the halves in the wrong order', String.raw`{"a":"\udE00\uD83d"}`, 'a'],
    ['a string with a pair and a half', String.raw`{"a":"\ud83d\ude00\ud83d"}`, 'a'],
    ['a string deep inside', String.raw`{"a":[{"b":["\udfff"]}]}`, 'a'],
    ['the name of a member', String.raw`{"\ud800":1}`, 'body'],
    ['the name of a member deep inside', String.raw`{"a":{"\udbff":1}}`, 'a'],
    ['thousands of arrays', `{"a":${'['.repeat(30_000)}"\\ud800"${']'.repeat(30_000)}}`, 'a'],
  ] as const)
    it(`is refused where ${what} has an escape that is no character`, async () => {
      const { status, body: problem } = await post(body);
      assert.equal(status, 400);
      const detail = 'must not have an escape that is not a character';
      assert.deepEqual((problem as Problem).errors, [{ field, detail }]);
    });

  it('may have an escaped pair, and a replacement character that the client sent', async () => {
    const { status, body } = await post(String.raw`{"a":"\ud83d\ude00","b":"�","c":"\ufffd"}`);
    assert.deepEqual([status, body], [200, { a: '😀', b: '�', c: '�' }]);
  });

  it('has no other charset than UTF-8', async () => {
    for (const charset of ['utf-16', 'utf-16le', 'utf-32', 'utf-7', 'iso-8859-1', 'windows-1252', 'nonsense'])
      assert.equal(
        (await post('{}', { 'content-type': `application/json; charset=${charset}` })).status,
        415,
      );
    for (const charset of ['utf-8', 'UTF-8', '"utf-8"'])
      assert.equal(
        (await post('{}', { 'content-type': `application/json; charset=${charset}` })).status,
        200,
      );
  });

  it('is refused in a path and a query exactly where the escapes are not UTF-8', async () => {
    const escaped = (bytes: Uint8Array) =>
      Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 6, min: 0x80 }),
      fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 3 })
        .map((text) => new Uint8Array(Buffer.from(text))),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (given) => {
        const read = utf8(given);
        const [path, query] = await Promise.all([
          call('GET', `/path/${escaped(given)}`, {}),
          call('GET', `/path/x?q=${escaped(given)}`, {}),
        ]);
        assert.deepEqual([path.status, query.status], read === undefined ? [400, 400] : [200, 200]);
        if (read !== undefined)
          assert.deepEqual(
            [path.body, query.body],
            [
              [read, {}],
              ['x', { q: read }],
            ],
          );
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  for (const odd of ['%', '%e', '%zz', '%E9', '%FF', '%C3%28', '%ED%A0%80', '%u00e9', latin1('é'), '\xe9'])
    it(`is refused in the name and the value of a query as ${JSON.stringify(odd)}`, async () => {
      for (const path of [`/path/x?q=${odd}`, `/path/x?${odd}=1`, `/path/${odd}`, `/nowhere?${odd}`]) {
        const { status } = await call('GET', path, {});
        assert.equal(status, 400, path);
      }
    });

  it('is a header where its bytes are UTF-8', async () => {
    for (const agent of ['Zoë’s app 🚀', 'plain'])
      assert.deepEqual(await call('GET', '/agent', { 'user-agent': latin1(agent) }), {
        status: 200,
        body: agent,
      });
    for (const agent of ['Zo\xeb', '\xc3(', '\xed\xa0\x80']) {
      const { status, body } = await call('GET', '/agent', { 'user-agent': agent });
      assert.equal(status, 400);
      assert.deepEqual((body as Problem).errors, [{ field: 'user-agent', detail: 'must be UTF-8' }]);
    }
    assert.deepEqual(await call('GET', '/agent', {}), { status: 200, body: null });
  });
});

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

interface Problem {
  errors?: { field: string; detail: string }[];
}
