import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { StandInMessenger } from '../fixtures/messenger.ts';
import type { CommitBatch } from '../ports.ts';
import { CommitsGrpc } from './commits-grpc.ts';

const SECRET = 'the secret of services under test';

describe('the commits of several messengers', () => {
  it('are told by one, and by the next when that one is gone or was never there', async () => {
    await using first = await StandInMessenger.start(SECRET);
    await using second = await StandInMessenger.start(SECRET);
    using commits = new CommitsGrpc(['127.0.0.1:1', first.address, second.address], SECRET);
    const { signal } = new AbortController();
    first.commit(1_000, 'ada', 'bob');
    second.commit(2_000, 'ada', 'bob');

    await assert.rejects(batches(commits.follow('', signal), 1));
    const one = commits.follow('', signal);
    assert.deepEqual(times(await batches(one, 1)), [1_000]);
    assert.ok(commits.isConnected);
    first.stop();
    await assert.rejects(batches(one, 9));
    assert.ok(!commits.isConnected);
    assert.deepEqual(times(await batches(commits.follow('', signal), 1)), [2_000]);
  });

  it('are not followed any more where that was called off before it began', async () => {
    await using messenger = await StandInMessenger.start(SECRET);
    using commits = new CommitsGrpc([messenger.address], SECRET);
    await assert.rejects(commits.follow('', AbortSignal.abort()).next(), { name: 'AbortError' });
  });
});

/** The next batches that hold something. */
async function batches(feed: AsyncGenerator<CommitBatch>, count: number): Promise<CommitBatch[]> {
  const found: CommitBatch[] = [];
  while (found.length < count) {
    const { value, done } = await feed.next();
    if (done) throw new Error('the feed ended');
    if (value.chats.length > 0) found.push(value);
  }
  return found;
}

function times(found: CommitBatch[]): number[] {
  return found.flatMap(({ chats }) => chats.map(({ at }) => at));
}
