import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readConfig } from '../config.ts';
import { type Answer, SECRET, World } from '../fixtures/world.ts';
import { Budget } from './budgets.ts';

const DEFAULTS = readConfig({ CHATTERBOX_SERVICE_SECRET: SECRET }).quotas;
const SMALL = {
  search: { calls: 3, seconds: 60 },
  requests: { calls: 2, seconds: 3_600 },
  calls: { calls: 4, seconds: 4 },
};

describe('the budgets of a user in userinfo', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start('ada', 'bob', 'cyd', 'dan');
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const restart = async (quotas: typeof SMALL) => {
    await world.stopUserinfo();
    world.quotas = quotas;
    await world.startUserinfo();
  };
  const statuses = async (call: string, times: number) => {
    const answers: Answer[] = [];
    for (let i = 0; i < times; i++) answers.push(await world.as('ada', call));
    return answers.map(({ status }) => status);
  };

  it('let the directory be asked thirty times in a minute, searches and suggestions together', async () => {
    await restart(DEFAULTS);
    const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
    const answers: number[] = [];
    for (const letter of letters.slice(0, 15)) {
      answers.push((await world.as('ada', `GET /chat/people?query=${letter}`)).status);
      answers.push((await world.as('ada', 'GET /chat/suggestions')).status);
    }
    assert.deepEqual(new Set(answers), new Set([200]));
    for (const letter of letters.slice(15)) {
      const { status, body, headers } = await world.as('ada', `GET /chat/people?query=${letter}`);
      assert.deepEqual([status, body.reason, body.code], [429, 'RATE_LIMITED', 'RESOURCE_EXHAUSTED']);
      assert.ok(body.retry_after_ms > 0 && body.retry_after_ms <= 60_000);
      assert.equal(headers.get('retry-after'), String(Math.ceil(body.retry_after_ms / 1000)));
    }
    assert.equal((await world.as('ada', 'GET /chat/people/bob')).status, 200);
    assert.equal((await world.as('bob', 'GET /chat/people?query=a')).status, 200);
  });

  it('say with each answer what the policy is, what is left, and until when', async () => {
    await restart(SMALL);
    for (const [call, policy, quota] of [
      ['GET /chat/people?query=a', '"search";q=3;w=60', 3],
      ['GET /chat/people/bob', '"calls";q=4;w=4', 4],
    ] as const)
      for (let made = 1; made <= quota + 1; made++) {
        const { headers, status } = await world.as('ada', call);
        assert.equal(status, made <= quota ? 200 : 429);
        assert.equal(headers.get('ratelimit-policy'), policy);
        const [, name, left, seconds] =
          /^("\w+");r=(\d+);t=(\d+)$/.exec(headers.get('ratelimit') ?? '') ?? [];
        assert.equal(name, policy.split(';')[0]);
        assert.equal(Number(left), Math.max(0, quota - made));
        assert.ok(Number(seconds) >= 1 && Number(seconds) <= Number(policy.split('w=')[1]));
      }
  });

  it('hold requests for friendship apart, and let them be answered without one', async () => {
    await restart(SMALL);
    const ask = (username: string) => world.as('ada', 'POST /chat/friends/requests', { username });
    assert.equal((await ask('bob')).status, 201);
    assert.equal((await ask('cyd')).status, 201);
    const refused = await ask('dan');
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('ratelimit-policy'), '"requests";q=2;w=3600');
    for (const friend of ['bob', 'cyd'])
      assert.equal((await world.as(friend, 'POST /chat/friends/requests/ada/accept')).status, 200);
    assert.equal((await world.as('ada', 'GET /chat/friends/requests')).body.outgoing.length, 0);
  });

  it('hold all other calls together, each user having their own', async () => {
    await restart(SMALL);
    assert.deepEqual(await statuses('GET /chat/friends', 2), [200, 200]);
    assert.deepEqual(await statuses('GET /chat?userid=ada', 2), [200, 200]);
    for (const call of ['GET /chat/people/me', 'GET /chat/people/bob/mutual', 'DELETE /chat/friends/bob'])
      assert.deepEqual(await statuses(call, 1), [429]);
    assert.equal((await world.as('bob', 'GET /chat/friends')).status, 200);
  });
});

describe('a budget', () => {
  it('is whole again when its window has ended', async () => {
    const budget = new Budget('few', { calls: 2, seconds: 0.1 });
    const taken = async () => (await budget.take('ada')).isAllowed;
    while (await taken());
    while (!(await taken())) await turn();
  });

  it('remembers as many users as it is told, those who called last', async () => {
    const budget = new Budget('few', { calls: 1, seconds: 3_600 }, 2);
    for (const user of ['ada', 'bob', 'cyd']) assert.equal((await budget.take(user)).isAllowed, true);
    assert.equal(budget.users, 2);
    assert.equal((await budget.take('cyd')).isAllowed, false);
    assert.equal((await budget.take('ada')).isAllowed, true);
    assert.equal(budget.users, 2);
  });
});
