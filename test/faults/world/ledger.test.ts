import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Ledger, textOf } from './ledger.ts';
import type { Logged } from './log.ts';

function logged(...clientIds: string[]): Logged[] {
  return clientIds.map((clientId, i) => ({ seq: i + 1, clientId, text: textOf(clientId) }));
}

const CLEAN = { lost: 0, gaps: 0, twoSeqs: 0, twoContents: 0 };

describe('the ledger of a storm', () => {
  it('finds nothing where everybody saw the same', () => {
    const ledger = new Ledger();
    ledger.saw(1, 'a', textOf('a'));
    ledger.acknowledged(1, 'a');
    assert.deepEqual(ledger.audit(logged('a', 'b')), CLEAN);
  });

  it('finds what was acknowledged and is not in the log, or elsewhere', () => {
    const ledger = new Ledger();
    ledger.acknowledged(2, 'b');
    assert.deepEqual(ledger.audit(logged('a')), { ...CLEAN, lost: 1 });
    ledger.acknowledged(1, 'b');
    assert.equal(ledger.audit(logged('a')).lost, 2);
  });

  it('finds a seq that somebody saw with other content, and a changed text', () => {
    const ledger = new Ledger();
    ledger.saw(1, 'a', textOf('a'));
    ledger.saw(1, 'b', textOf('b'));
    ledger.saw(1, 'a', 'something else');
    assert.deepEqual(ledger.audit(logged('a')), { ...CLEAN, twoContents: 2 });
  });

  it('finds a client id with two seqs, and a hole', () => {
    assert.deepEqual(new Ledger().audit(logged('a', 'a')), { ...CLEAN, twoSeqs: 1 });
    const [, second] = logged('a', 'b');
    assert.deepEqual(new Ledger().audit(second ? [second] : []), { ...CLEAN, gaps: 1 });
  });
});
