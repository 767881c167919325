import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { MAX_DISPLAY_NAME } from '#common/http/fields.ts';
import { MAX_USERNAME } from '#common/username.ts';
import type { Graph, Listed, Page } from '../ports.ts';
import { fold, named } from '../search-terms.ts';
import { suggestionsContract } from './suggestions.contract.ts';

const ALL: Page = { limit: 100, after: '' };

/** What ports.ts promises of a graph, for every adapter. `open` gives an empty one. */
export function graphContract(open: () => Promise<Graph & AsyncDisposable>): void {
  let graph: Graph & AsyncDisposable;
  beforeEach(async () => {
    graph = await open();
    await graph.seed([named('ada', 'Ada Lovelace'), named('bob', 'Bob'), named('cyd', 'Cyd')]);
  });
  afterEach(() => graph[Symbol.asyncDispose]());

  describe('people', () => peopleContract(() => graph));
  describe('search', () => searchContract(() => graph));
  describe('friendship', () => friendshipContract(() => graph));
  describe('lists', () => listsContract(() => graph));
  describe('chats', () => chatsContract(() => graph));
  describe('suggestions', () => suggestionsContract(() => graph));
}

function peopleContract(graph: () => Graph): void {
  it('knows whom it was told of, and nobody else', async () => {
    const ada = { username: 'ada', displayName: 'Ada Lovelace', about: '', avatarUrl: '' };
    assert.deepEqual(await graph().person('ada'), ada);
    assert.equal(await graph().person('eve'), undefined);
  });

  it('keeps a described profile when the same people are told of again', async () => {
    const change = { displayName: 'Countess', terms: named('ada', 'Countess').terms, about: 'Notes.' };
    await graph().describe('ada', change);
    await graph().seed([named('ada', 'Ada Lovelace')], 'c1');
    assert.equal((await graph().person('ada'))?.displayName, 'Countess');
    assert.equal((await graph().person('ada'))?.about, 'Notes.');
    assert.deepEqual((await graph().search('lovelace', ALL)).items, []);
    assert.equal((await graph().search('count', ALL)).items.length, 1);
  });

  it('keeps and finds every text at its maximum', async () => {
    const username = 'z'.repeat(MAX_USERNAME);
    // One character that is eighteen when it is folded.
    const displayName = '\ufdfa'.repeat(MAX_DISPLAY_NAME);
    const { terms } = named(username, displayName);
    const about = '\u{1f989}'.repeat(500);
    const avatarUrl = `https://example.org/${'x'.repeat(2_048 - 20)}`;
    await graph().seed([named(username, '\u{1f989}'.repeat(MAX_DISPLAY_NAME))], 'c1');
    const person = await graph().describe(username, { displayName, terms, about, avatarUrl });
    assert.deepEqual(person, { username, displayName, about, avatarUrl });
    assert.deepEqual((await graph().search(fold(displayName), ALL)).items, [person]);
    await graph().chatted([{ one: username, other: 'ada', at: Number.MAX_SAFE_INTEGER }], 'm1');
    assert.deepEqual(await graph().contacts(username, 9), [
      { username: 'ada', lastChatted: Number.MAX_SAFE_INTEGER },
    ]);
  });

  it('changes only what is given, and nothing for nobody', async () => {
    await graph().describe('bob', { avatarUrl: 'https://example.org/b.png' });
    const changed = await graph().describe('bob', { about: 'Hi' });
    const bob = { username: 'bob', displayName: 'Bob', about: 'Hi', avatarUrl: 'https://example.org/b.png' };
    assert.deepEqual(changed, bob);
    assert.deepEqual(await graph().person('bob'), bob);
    assert.equal(await graph().describe('eve', { about: 'Hi' }), undefined);
  });

  it('keeps a place in each feed', async () => {
    assert.equal(await graph().cursor('accounts'), '');
    await graph().seed([], 'a7');
    await graph().chatted([], 'm1');
    await graph().chatted([], '');
    assert.equal(await graph().cursor('accounts'), 'a7');
    assert.equal(await graph().cursor('commits'), 'm1');
  });
}

function searchContract(graph: () => Graph): void {
  const names = async (query: string, page = ALL) =>
    (await graph().search(fold(query), page)).items.map((person) => person.username);

  it('finds by the beginning of the username and of each word of the display name, in any case', async () => {
    assert.deepEqual(await names('AD'), ['ada']);
    assert.deepEqual(await names('love'), ['ada']);
    assert.deepEqual(await names('Ada  Lov'), ['ada']);
    assert.deepEqual(await names('ｌｏｖｅ'), ['ada']);
    assert.deepEqual(await names('ovelace'), []);
  });

  it('takes wildcards for the characters that they are', async () => {
    await graph().seed([named('per', '100% Sure'), named('under', 'snake_case')]);
    assert.deepEqual(await names('%'), []);
    assert.deepEqual(await names('_'), []);
    assert.deepEqual(await names('100%'), ['per']);
    assert.deepEqual(await names('snake_'), ['under']);
    assert.deepEqual(await names('a*'), []);
  });

  it('orders by code points, whatever plane they are of', async () => {
    await graph().seed([named('high', 'x\u{1F680}'), named('low', 'x\uFFFD'), named('mid', 'x\u4E00')]);
    assert.deepEqual(await names('x'), ['mid', 'low', 'high']);
    assert.deepEqual(await walk((page) => graph().search('x', page), 1), ['mid', 'low', 'high']);
  });

  it('shows exact matches first and each person once, across pages', async () => {
    await graph().seed([named('boba', 'Bob Bobson'), named('zoe', 'bob'), named('bobby', 'Al')]);
    const all = await names('bob');
    assert.deepEqual(all.slice(0, 2), ['bob', 'zoe']);
    assert.deepEqual(all.toSorted(), ['bob', 'boba', 'bobby', 'zoe']);
    assert.deepEqual(await walk((page) => graph().search('bob', page)), all);
  });
}

function friendshipContract(graph: () => Graph): void {
  it('an ask is incoming for one and outgoing for the other; repeated, it keeps its first time', async () => {
    const request = { username: 'bob', displayName: 'Bob', since: 10 };
    assert.deepEqual(await graph().request('ada', 'bob', 10), { outcome: 'asked', request });
    assert.deepEqual(await graph().request('ada', 'bob', 20), { outcome: 'asked before', request });
    assert.deepEqual((await graph().requests('ada', 'outgoing', ALL)).items, [request]);
    const incoming = [{ username: 'ada', displayName: 'Ada Lovelace', since: 10 }];
    assert.deepEqual((await graph().requests('bob', 'incoming', ALL)).items, incoming);
    assert.deepEqual((await graph().requests('ada', 'incoming', ALL)).items, []);
  });

  it('crossing asks make friends, once, and leave no request', async () => {
    await graph().request('ada', 'bob', 10);
    const friend = { username: 'ada', displayName: 'Ada Lovelace', since: 20, lastChatted: null };
    assert.deepEqual(await graph().request('bob', 'ada', 20), { outcome: 'friends now', friend });
    assert.deepEqual(await graph().request('bob', 'ada', 30), { outcome: 'friends before', friend });
    await assertNoRequests(graph());
  });

  it('many crossing asks at once still make one friendship', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        i % 2 === 0 ? graph().request('ada', 'bob', i) : graph().request('bob', 'ada', i),
      ),
    );
    assert.equal(outcomes.filter(({ outcome }) => outcome === 'friends now').length, 1);
    assert.equal((await graph().friends('ada', ALL)).items.length, 1);
    assert.equal((await graph().friends('bob', ALL)).items.length, 1);
    await assertNoRequests(graph());
  });

  it('accepting makes friends, again changes nothing, and without an ask does nothing', async () => {
    assert.equal(await graph().accept('bob', 'ada', 15), undefined);
    await graph().request('ada', 'bob', 10);
    assert.equal(await graph().accept('ada', 'bob', 15), undefined, 'one cannot accept what one asked');
    assert.equal((await graph().accept('bob', 'ada', 20))?.since, 20);
    assert.equal((await graph().accept('bob', 'ada', 30))?.since, 20);
    assert.deepEqual((await graph().friends('ada', ALL)).items, [
      { username: 'bob', displayName: 'Bob', since: 20, lastChatted: null },
    ]);
    await assertNoRequests(graph());
  });

  it('either side dismisses a request, once', async () => {
    await graph().request('ada', 'bob', 10);
    assert.equal(await graph().dismiss('bob', 'ada'), true);
    assert.equal(await graph().dismiss('bob', 'ada'), false);
    await graph().request('ada', 'bob', 10);
    assert.equal(await graph().dismiss('ada', 'bob'), true);
    await assertNoRequests(graph());
  });

  it('either side unfriends, for both, once; they may ask again', async () => {
    await graph().request('ada', 'bob', 10);
    await graph().accept('bob', 'ada', 20);
    assert.equal(await graph().unfriend('ada', 'bob'), true);
    assert.equal(await graph().unfriend('ada', 'bob'), false);
    assert.deepEqual((await graph().friends('bob', ALL)).items, []);
    assert.equal((await graph().request('bob', 'ada', 30)).outcome, 'asked');
  });
}

function listsContract(graph: () => Graph): void {
  it('pages friends by name and requests by newest, without gap or repeat', async () => {
    const people = Array.from({ length: 25 }, (_, i) => named(`p${String(i).padStart(2, '0')}`, `P ${i}`));
    await graph().seed(people);
    for (const [i, { username }] of people.entries()) {
      await graph().request(username, 'ada', Math.floor(i / 2));
      await graph().request(username, 'bob', i);
      await graph().accept('bob', username, i);
    }
    const usernames = people.map((person) => person.username);
    assert.deepEqual(await walk((page) => graph().friends('bob', page)), usernames);
    const newestFirst = usernames.toSorted(
      (a, b) => Math.floor(+b.slice(1) / 2) - Math.floor(+a.slice(1) / 2) || (a < b ? -1 : 1),
    );
    assert.deepEqual(await walk((page) => graph().requests('ada', 'incoming', page)), newestFirst);
  });
}

function chatsContract(graph: () => Graph): void {
  it('the newest time counts, for both, whatever the order of telling', async () => {
    await graph().chatted([{ one: 'ada', other: 'bob', at: 50 }], 'm1');
    await graph().chatted([{ one: 'bob', other: 'ada', at: 40 }], 'm2');
    assert.deepEqual(await graph().contacts('ada', 10), [{ username: 'bob', lastChatted: 50 }]);
    assert.deepEqual(await graph().contacts('bob', 10), [{ username: 'ada', lastChatted: 50 }]);
  });

  it('a time from a clock that was a year ahead does not stay for a year', async () => {
    const [now, year] = [1_800_000_000_000, 365 * 86_400_000];
    await graph().chatted([{ one: 'ada', other: 'bob', at: now + year }], 'm1');
    await graph().chatted([{ one: 'ada', other: 'bob', at: now }], 'm2');
    const both = [now + year, now + 1].map((at) => ({ one: 'ada', other: 'cleo', at }));
    await graph().chatted(both, 'm3');
    assert.deepEqual(await graph().contacts('ada', 10), [
      { username: 'cleo', lastChatted: now + 1 },
      { username: 'bob', lastChatted: now },
    ]);
  });

  it('contacts are the recently chatted with, strangers too, then the other friends by name', async () => {
    await graph().seed([named('abe', 'Abe')]);
    for (const friend of ['cyd', 'abe', 'bob']) {
      await graph().request(friend, 'ada', 1);
      await graph().accept('ada', friend, 2);
    }
    await graph().chatted(
      [
        { one: 'ada', other: 'bob', at: 10 },
        { one: 'not-yet-known', other: 'ada', at: 20 },
      ],
      'm1',
    );
    const contacts = await graph().contacts('ada', 10);
    assert.deepEqual(contacts, [
      { username: 'not-yet-known', lastChatted: 20 },
      { username: 'bob', lastChatted: 10 },
      { username: 'abe', lastChatted: null },
      { username: 'cyd', lastChatted: null },
    ]);
    assert.deepEqual(await graph().contacts('ada', 3), contacts.slice(0, 3));
    assert.deepEqual(await graph().contacts('eve', 10), []);
  });

  it('are forgotten with the place in their feed, and with nothing else', async () => {
    await graph().seed([], 'a1');
    await graph().befriend([{ one: 'ada', other: 'bob', since: 1 }]);
    await graph().chatted([{ one: 'ada', other: 'bob', at: 50 }], 'm1');
    await graph().forgetChats();
    assert.equal(await graph().cursor('commits'), '');
    assert.equal(await graph().cursor('accounts'), 'a1');
    assert.deepEqual(await graph().contacts('ada', 10), [{ username: 'bob', lastChatted: null }]);
  });

  it('many at once, of the same pairs both ways, leave the newest', async () => {
    const chats = Array.from({ length: 2_500 }, (_, i) =>
      i % 2 === 0
        ? { one: 'ada', other: `q${i % 50}`, at: i }
        : { one: `q${(i - 1) % 50}`, other: 'ada', at: i },
    );
    await Promise.all([graph().chatted(chats, 'm1'), graph().chatted(chats.toReversed(), 'm2')]);
    const contacts = await graph().contacts('ada', 100);
    assert.equal(contacts.length, 25);
    assert.deepEqual(contacts[0], { username: 'q48', lastChatted: 2_499 });
    assert.deepEqual(contacts.at(-1), { username: 'q0', lastChatted: 2_451 });
  });

  it('a friend shows when they last chatted, also after parting and befriending again', async () => {
    await graph().chatted([{ one: 'ada', other: 'bob', at: 50 }], '');
    await graph().request('ada', 'bob', 60);
    await graph().accept('bob', 'ada', 70);
    await graph().unfriend('ada', 'bob');
    await graph().request('ada', 'bob', 80);
    assert.equal((await graph().accept('bob', 'ada', 90))?.lastChatted, 50);
  });
}

/** Every username of a list, read in pages. */
async function walk(
  list: (page: Page) => Promise<Listed<{ username: string }>>,
  limit = 3,
): Promise<string[]> {
  const found: string[] = [];
  let after = '';
  do {
    const { items, next } = await list({ limit, after });
    found.push(...items.map((item) => item.username));
    after = next;
  } while (after !== '');
  return found;
}

async function assertNoRequests(graph: Graph): Promise<void> {
  for (const username of ['ada', 'bob']) {
    for (const direction of ['incoming', 'outgoing'] as const) {
      assert.deepEqual((await graph.requests(username, direction, ALL)).items, []);
    }
  }
}
