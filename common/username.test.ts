import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from './errors.ts';
import { canonicalUsername } from './username.ts';

describe('a username', () => {
  for (const [raw, name] of [
    ['Ada', 'ada'],
    ['"Ada"', 'ada'],
    ['ＡＤＡ', 'ada'],
    ['a.b-c_1', 'a.b-c_1'],
    ['  Ada ', 'ada'],
    ['"Ada "', 'ada'],
    ['\u00a0Ada\u3000\n', 'ada'],
  ] as const) {
    it(`${raw} is ${name}`, () => assert.equal(canonicalUsername(raw, 'username'), name));
  }

  for (const raw of ['', ' ', '.ada', 'a b', 'адa', 'a'.repeat(65), 'a/b', 'a\u200b', '"']) {
    it(`${JSON.stringify(raw)} is refused, naming the field`, () => {
      assert.throws(
        () => canonicalUsername(raw, 'friend'),
        (error) => error instanceof ServiceError && error.fields[0]?.field === 'friend',
      );
    });
  }
});
