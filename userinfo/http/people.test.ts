import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { until, World } from '../fixtures/world.ts';

describe('people over HTTP', () => {
  let world: World;
  before(async () => {
    world = await World.start('ada', 'bob');
  });
  after(() => world[Symbol.asyncDispose]());

  it('a profile is for everybody to read; nobody is NOT_FOUND', async () => {
    const bob = { username: 'bob', display_name: 'BOB', about: '', avatar_url: '' };
    assert.deepEqual((await world.as('ada', 'GET /chat/people/Bob')).body, bob);
    assert.deepEqual((await world.as('bob', 'GET /chat/people/me')).body, bob);
    assert.equal((await world.as('ada', 'GET /chat/people/nobody')).status, 404);
    assert.equal((await world.as('ada', 'GET /chat/people/no%20body')).status, 400);
  });

  it('one changes what one gives of oneself, and others see and find it', async () => {
    const change = {
      display_name: ' Ada  King ',
      about: 'Notes\non engines 🚀',
      avatar_url: 'https://example.org/a.png',
    };
    const { status, body } = await world.as('ada', 'PATCH /chat/people/me', change);
    assert.equal(status, 200);
    assert.deepEqual(body, { username: 'ada', ...change, display_name: 'Ada  King' });
    assert.deepEqual((await world.as('bob', 'GET /chat/people/ada')).body, body);
    assert.deepEqual((await world.as('bob', 'GET /chat/people?query=king')).body.people, [body]);
    const cleared = await world.as('ada', 'PATCH /chat/people/me', { avatar_url: '' });
    assert.deepEqual(cleared.body, { ...body, avatar_url: '' });
  });

  it('counts code points, and takes the longest that is allowed', async () => {
    const longest = { display_name: '🚀'.repeat(64), about: '🚀'.repeat(500) };
    assert.equal((await world.as('bob', 'PATCH /chat/people/me', longest)).status, 200);
  });

  it('texts are stored as NFC, with LF for each end of line', async () => {
    const change = { display_name: 'Zoe\u0308', about: 'cafe\u0301\r\nو می\u200cخواهم\t👩‍🚀' };
    const { status, body } = await world.as('bob', 'PATCH /chat/people/me', change);
    assert.equal(status, 200);
    assert.deepEqual([body.display_name, body.about], ['Zoë', 'café\nو می\u200cخواهم\t👩‍🚀']);
  });

  for (const [field, value] of [
    ['display_name', ''],
    ['display_name', '   '],
    ['display_name', 'x'.repeat(65)],
    ['display_name', 'two\nlines'],
    ['display_name', '\ud800'],
    ['display_name', 'nul\u0000'],
    ['display_name', 'a\u202eb'],
    ['display_name', '\u3164'],
    ['display_name', `Z${'\u0351'.repeat(5)}`],
    ['display_name', 'Suppоrt'],
    ['display_name', null],
    ['about', 'x'.repeat(501)],
    ['about', 'nul\0'],
    ['about', 'a\u202eb'],
    ['about', 'a\ue000b'],
    ['about', 'a\u2028b'],
    ['about', `Z${'\u0351'.repeat(5)}`],
    ['avatar_url', 'javascript:alert(1)'],
    ['avatar_url', 'https://example.org/ a'],
    ['avatar_url', 'http://example.org/a.png'],
    ['avatar_url', 'https://example.org@evil.example/a.png'],
    ['avatar_url', 'https://@evil.example/a.png'],
    ['avatar_url', 'https://example.org\\@evil.example/a.png'],
    ['avatar_url', 'https:///example.org/a.png'],
    ['avatar_url', 'https://example.org/\u202egnp.a'],
    ['avatar_url', 'https://example.org/\ud800'],
    ['avatar_url', 'https://'],
    ['avatar_url', `https://example.org/${'a'.repeat(2_048)}`],
    ['body', 'username'],
  ] as const) {
    it(`refuses ${field} = ${JSON.stringify(value)?.slice(0, 40)} and changes nothing`, async () => {
      const before = (await world.as('ada', 'GET /chat/people/me')).body;
      const change = field === 'body' ? { username: 'eve', about: 'x' } : { [field]: value };
      const { status, body } = await world.as('ada', 'PATCH /chat/people/me', change);
      assert.equal(status, 400);
      assert.equal(body.errors[0].field, field);
      assert.deepEqual((await world.as('ada', 'GET /chat/people/me')).body, before);
    });
  }

  it("nobody changes somebody else's profile", async () => {
    const { status, headers } = await world.as('ada', 'PATCH /chat/people/bob', { about: 'x' });
    assert.equal(status, 405);
    assert.equal(headers.get('allow'), 'GET');
  });

  it('a search pages through, and wants 1 to 64 characters', async () => {
    for (const username of ['zed1', 'zed2', 'zed']) world.authenticator.register(username, 'Somebody');
    const search = (query: string) => world.as('ada', `GET /chat/people?${query}`);
    await until(
      () => search('query=zed'),
      ({ body }) => body.people.length === 3,
    );
    const first = (await search('query=ZED&page_size=2')).body;
    const second = (await search(`query=ZED&page_size=2&page_token=${first.next_page_token}`)).body;
    const names = [...first.people, ...second.people].map((person) => person.username);
    assert.deepEqual(names, ['zed', 'zed1', 'zed2']);
    assert.equal(second.next_page_token, '');
    for (const query of ['', 'query=', 'query=%20', `query=${'x'.repeat(65)}`, 'query=a&query=b']) {
      assert.equal((await search(query)).body.errors?.[0]?.field, 'query', query);
    }
  });
});
