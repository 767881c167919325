import assert from 'node:assert/strict';
import { it } from 'mocha';
import { type Crowd, crowd, mulberry32 } from '../fixtures/crowd.ts';
import type { Graph, Listed, Suggestion } from '../ports.ts';
import { named } from '../search-terms.ts';

const ALL = { limit: 1_000, after: '' };

/** What ports.ts promises of suggestions and of friends in common, for every adapter. `graph` knows ada, bob and cyd. */
export function suggestionsContract(graph: () => Graph): void {
  const befriend = (...pairs: [string, string][]) =>
    graph().befriend(pairs.map(([one, other]) => ({ one, other, since: 1 })));
  const suggested = async (username: string) =>
    (await graph().suggestions(username, ALL)).items.map((item) => item.username);

  it('befriends many at once, again without harm, and keeps what was', async () => {
    await befriend(['ada', 'bob'], ['cyd', 'bob']);
    await graph().befriend([{ one: 'bob', other: 'ada', since: 2 }]);
    const friends = (await graph().friends('bob', ALL)).items;
    assert.deepEqual(
      friends.map(({ username, since }) => [username, since]),
      [
        ['ada', 1],
        ['cyd', 1],
      ],
    );
  });

  it('a friend’s friend is suggested with the reason, until asked, befriended or dismissed', async () => {
    await befriend(['ada', 'bob'], ['bob', 'cyd']);
    const friendsInCommon = { count: 1, names: ['bob'] };
    const cyd = { username: 'cyd', displayName: 'Cyd', score: 500_000, friendsInCommon };
    assert.deepEqual(await graph().suggestions('ada', ALL), { items: [cyd], next: '' });
    await graph().request('ada', 'cyd', 1);
    assert.deepEqual([await suggested('ada'), await suggested('cyd')], [[], []]);
    await graph().dismiss('cyd', 'ada');
    assert.deepEqual([await suggested('ada'), await suggested('cyd')], [['cyd'], ['ada']]);
    await graph().dismissSuggestion('ada', 'cyd');
    await graph().dismissSuggestion('ada', 'cyd');
    assert.deepEqual([await suggested('ada'), await suggested('cyd')], [[], ['ada']]);
    await befriend(['ada', 'cyd']);
    assert.deepEqual([await suggested('ada'), await suggested('cyd')], [[], []]);
  });

  it('scores follow friendships that begin and end', async () => {
    await befriend(['ada', 'bob'], ['bob', 'cyd']);
    await graph().seed([named('dan', 'Dan')]);
    await graph().request('dan', 'bob', 1);
    await graph().accept('bob', 'dan', 2);
    const scores = async () => (await graph().suggestions('ada', ALL)).items.map(({ score }) => score);
    assert.deepEqual(await scores(), [333_333, 333_333]);
    await graph().unfriend('bob', 'dan');
    assert.deepEqual(await scores(), [500_000]);
    await graph().unfriend('ada', 'bob');
    assert.deepEqual(await scores(), []);
    assert.deepEqual(await graph().suggestions('nobody', ALL), { items: [], next: '' });
  });

  it('of a crowd are those of a plain computation, in whole and in pages; so are friends in common', async function () {
    this.timeout(60_000);
    const many = crowd({ people: 300, friends: 8, hubs: 5, friendsOfHub: 100, seed: 42 });
    await graph().seed(many.people);
    await graph().befriend(many.friendships);
    const plain = new PlainGraph(many);
    const random = mulberry32(7);
    const somebody = () => `p${Math.floor(random() * 300)}`;
    for (const username of ['p0', 'p299', ...Array.from({ length: 10 }, somebody)]) {
      const [asked, asking, dismissed] = plain.suggestions(username).map((item) => item.username);
      if (asked) await graph().request(username, asked, 1);
      if (asking) await graph().request(asking, username, 1);
      if (dismissed) await graph().dismissSuggestion(username, dismissed);
      const hidden = new Set([asked, asking, dismissed]);
      const expected = plain.suggestions(username).filter((item) => !hidden.has(item.username));
      assert.deepEqual(await inPages(graph(), username, 1_000), expected, username);
      assert.deepEqual(await inPages(graph(), username, 17), expected, username);
      for (const hide of hidden) await graph().dismiss(username, hide ?? '');

      const [other = '', hub = ''] = [somebody(), 'p1', 'p2', 'p3'].filter((name) => name !== username);
      const mutual = (await graph().mutual(username, other, ALL)).items.map((item) => item.username);
      assert.deepEqual(mutual, plain.mutual(username, other));
      assert.equal(await graph().mutualCount(username, other), mutual.length);
      assert.deepEqual(
        (await graph().mutual(username, hub, { limit: 2, after: '' })).items.map((item) => item.username),
        plain.mutual(username, hub).slice(0, 2),
      );
    }
  });

  it('of somebody whose friends know more people than are looked at come from those with the fewest friends', async function () {
    this.timeout(120_000);
    // ada's friend bob knows one more person; 4 stars have 30,000 friends each, of whom the last star counts no more.
    const crowd = Array.from({ length: 30_000 }, (_, i) => named(`p${i}`, `P ${i}`));
    const stars = ['s1', 's2', 's3', 's4'];
    await graph().seed([...crowd, ...stars.map((star) => named(star, star))]);
    await befriend(['ada', 'bob'], ['bob', 'cyd']);
    for (const star of stars) {
      const rest = star === 's4' ? crowd.slice(1) : crowd;
      await befriend([star, 'ada'], ...rest.map(({ username }): [string, string] => [star, username]));
    }
    const [first, second] = (await graph().suggestions('ada', { limit: 2, after: '' })).items;
    assert.equal(first?.username, 'cyd');
    // s4 has one friend less than the others, so it counts, and s3 is beyond the bound.
    assert.deepEqual(second, {
      username: 'p1',
      displayName: 'P 1',
      score: 33 * 3,
      friendsInCommon: { count: 3, names: ['s1', 's2', 's4'] },
    });
  });
}

async function inPages(graph: Graph, username: string, limit: number): Promise<Suggestion[]> {
  const found: Suggestion[] = [];
  let page: Listed<Suggestion> = { items: [], next: '' };
  do {
    page = await graph.suggestions(username, { limit, after: page.next });
    found.push(...page.items);
  } while (page.next !== '');
  return found;
}

/** The same, computed as the rule reads. */
class PlainGraph {
  readonly #people: Crowd['people'];
  readonly #friends = new Map<string, Set<string>>();

  constructor({ people, friendships }: Crowd) {
    this.#people = people;
    for (const { username } of people) this.#friends.set(username, new Set());
    for (const { one, other } of friendships) {
      this.#friends.get(one)?.add(other);
      this.#friends.get(other)?.add(one);
    }
  }

  mutual(username: string, other: string): string[] {
    return [...this.#of(username)].filter((friend) => this.#of(other).has(friend)).toSorted();
  }

  suggestions(username: string): Suggestion[] {
    const others = this.#people.filter(
      (other) => other.username !== username && !this.#of(username).has(other.username),
    );
    return others
      .map((other) => {
        const names = this.mutual(username, other.username);
        const score = names.reduce((sum, name) => sum + Math.floor(1_000_000 / this.#of(name).size), 0);
        const friendsInCommon = { count: names.length, names: names.slice(0, 3) };
        return { username: other.username, displayName: other.displayName, score, friendsInCommon };
      })
      .filter(({ score }) => score > 0)
      .toSorted((a, b) => b.score - a.score || (a.username < b.username ? -1 : 1));
  }

  #of(username: string): Set<string> {
    return this.#friends.get(username) ?? new Set();
  }
}
