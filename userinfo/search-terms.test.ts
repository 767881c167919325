import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fold, named } from './search-terms.ts';

describe('search terms', () => {
  for (const [displayName, terms] of [
    ['Ada Lovelace', ['u', 'ada lovelace', 'lovelace']],
    ['Jean-Luc', ['u', 'jean-luc', 'luc']],
    ["O'Neil", ['u', "o'neil"]],
    ['🚀 Rocket', ['u', '🚀 rocket', 'rocket']],
    ['Ｕ', ['u']],
    ['Ünal  Öz', ['u', 'ünal öz', 'öz']],
    ['山田 太郎', ['u', '山田 太郎', '太郎']],
  ] as const) {
    it(`of ${displayName} are the username and the name from each word on`, () => {
      assert.deepEqual(named('u', displayName).terms, terms);
    });
  }

  it('fold to one spelling', () => {
    assert.equal(fold(' ＡＤＡ\t Lovelace '), 'ada lovelace');
    assert.equal(fold('u\u0308'), 'ü');
  });
});
