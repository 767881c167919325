import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { JoinedWrites } from './grpc/joined-writes.ts';
import { JoinedBytes } from './joined-bytes.ts';

const CHUNKS = fc.array(fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)));

describe('joined bytes', () => {
  it('are those that were added, in their order', () => {
    fc.assert(
      fc.property(CHUNKS, (chunks) => {
        const joined = new JoinedBytes();
        for (const chunk of chunks) joined.add(chunk);
        assert.deepEqual(joined.bytes, Buffer.concat(chunks));
        assert.equal(joined.size, joined.bytes.length);
        const taken = joined.take();
        joined.add(Buffer.from('x'));
        assert.deepEqual([taken, String(joined.bytes)], [Buffer.concat(chunks), 'x']);
      }),
      { seed: 1 },
    );
  });
});

describe('joined writes', () => {
  /** What is written, one write at a time, each taken when `next` is called. */
  function slow() {
    const written: Buffer[] = [];
    const taken: (() => void)[] = [];
    const to = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk);
        taken.push(done);
      },
    });
    return { to, written, next: () => taken.shift()?.() };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('wait as one while another is under way', async () => {
    const { to, written, next } = slow();
    const writes = new JoinedWrites(to, () => {});
    for (const letter of 'abcdef') assert.ok(writes.write(Buffer.from(letter)));
    assert.deepEqual(written.map(String), ['a']);
    next();
    await turn();
    assert.deepEqual(written.map(String), ['a', 'bcdef']);
    writes.write(Buffer.from('g'));
    writes.end();
    next();
    await turn();
    next();
    await turn();
    assert.deepEqual(written.map(String), ['a', 'bcdef', 'g']);
    next();
    await turn();
    assert.ok(to.writableFinished);
  });

  it('say when there is no room, and when there is again', async () => {
    const { to, next } = slow();
    let hasRoom = 0;
    const writes = new JoinedWrites(to, () => hasRoom++);
    assert.ok(writes.write(Buffer.alloc(100_000)));
    assert.equal(writes.write(Buffer.alloc(65_536)), false);
    assert.equal(hasRoom, 0);
    next();
    await turn();
    assert.equal(hasRoom, 1);
  });

  it('lose nothing, whenever they are taken', async () => {
    await fc.assert(
      fc.asyncProperty(CHUNKS, fc.infiniteStream(fc.boolean()), async (chunks, takes) => {
        const { to, written, next } = slow();
        const writes = new JoinedWrites(to, () => {});
        for (const chunk of chunks) {
          writes.write(chunk);
          if (takes.next().value) {
            next();
            await turn();
          }
        }
        writes.end();
        for (let left = chunks.length + 2; left > 0 && !to.writableFinished; left--) {
          next();
          await turn();
        }
        assert.deepEqual(Buffer.concat(written), Buffer.concat(chunks));
      }),
      { seed: 1 },
    );
  });
});
