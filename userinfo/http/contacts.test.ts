import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { World } from '../fixtures/world.ts';

describe("the first app's contact list", () => {
  let world: World;
  before(async () => {
    world = await World.start('ada', 'abe', 'bob', 'cyd');
    for (const friend of ['bob', 'cyd', 'abe']) await world.befriend('ada', friend);
    world.messenger.commit(1_900_000_000_000, 'ada', 'bob');
    world.messenger.commit(1_900_000_000_001, 'ada', 'stranger');
    await world.messenger.allAcknowledged();
  });
  after(() => world[Symbol.asyncDispose]());

  it('has friends and whoever was chatted with, the most recent first, in exactly its shape', async () => {
    const { status, body } = await world.as('ada', 'GET /chat?userid=ada');
    assert.equal(status, 200);
    assert.deepEqual(body, {
      contact_list_: [
        { name: 'stranger', lastChat: '2030-03-17T17:46:40.001Z' },
        { name: 'bob', lastChat: '2030-03-17T17:46:40.000Z' },
        { name: 'abe', lastChat: '' },
        { name: 'cyd', lastChat: '' },
      ],
    });
  });

  it("takes the caller's name in quotes and capitals, and the token raw", async () => {
    const authorization = world.authenticator.token('bob');
    const { status, body } = await world.call(`GET /chat?userid=${encodeURIComponent('"Bob"')}`, {
      authorization,
    });
    assert.equal(status, 200);
    assert.deepEqual(body.contact_list_.length, 1);
  });

  it("is nobody else's, and needs a name", async () => {
    assert.equal((await world.as('ada', 'GET /chat?userid=bob')).status, 403);
    for (const path of ['/chat', '/chat?userid=', '/chat?userid=ada&userid=bob', '/chat?userid=%22']) {
      const { status, body } = await world.as('ada', `GET ${path}`);
      assert.equal(status, 400, path);
      assert.equal(body.errors[0].field, 'userid', path);
    }
  });

  it('is empty for somebody without contacts', async () => {
    assert.deepEqual((await world.as('nova', 'GET /chat?userid=nova')).body, { contact_list_: [] });
  });
});
