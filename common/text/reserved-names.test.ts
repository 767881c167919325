import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { isReservedUsername, isSystemName } from './reserved-names.ts';
import { LOOKALIKES } from './unicode-tables.ts';

const SEED = { seed: 1, numRuns: 1_000 };

describe('a name of the system', () => {
  const like = (letter: string) => [
    letter,
    letter.toUpperCase(),
    ...(LOOKALIKES[letter] ?? ''),
    ...(LOOKALIKES[letter.toUpperCase()] ?? ''),
  ];
  const spelled = (name: string) =>
    fc
      .tuple(...[...name].map((letter) => fc.constantFrom(...like(letter))))
      .map((letters) => letters.join(''));

  it('stays reserved with any of its letters changed for one that looks alike, in any case', () => {
    const name = fc.constantFrom('admin', 'support', 'chatterbox', 'moderator', 'system').chain(spelled);
    fc.assert(
      fc.property(name, (text) => assert.ok(isSystemName(text), text)),
      SEED,
    );
  });

  for (const name of [
    'Admin',
    'ADM1N',
    'adm1n',
    'аdmіn',
    'СНАТТЕRВОХ',
    'ＳＵＰＰＯＲＴ',
    '𝓼𝔂𝓼𝓽𝓮𝓶',
    'rnoderator',
    'r00t',
    ' Support ',
    'ad\u200bmin',
    'A d m i n',
    '★ Support ★',
    '[admin]',
    'ad.min',
    'chatter_box',
    'ϲhatterbox',
    'ᴀᴅᴍɪɴ',
    '🅰dmin',
    '🆂🆄🅿🅿🅾🆁🆃',
    'ádmin',
    'a\u0336d\u0336m\u0336i\u0336n\u0336',
    'Chatterbox Support',
    'Support Team',
    'admin 1',
    'Administrators',
  ])
    it(`is seen in ${JSON.stringify(name)}`, () => assert.ok(isSystemName(name)));

  for (const name of [
    'Ada',
    'Adam',
    'Administrata',
    'Mé',
    'M. E.',
    'Helpful',
    'Systema',
    'Supporter',
    'Root Beer',
    'Help Ukraine',
    'System of a Down',
    'Адмирал',
    'Seif',
    'Null',
    'Search',
    '山田',
    '🚀',
  ])
    it(`is not seen in ${name}`, () => assert.ok(!isSystemName(name)));
});

describe('a reserved username', () => {
  for (const name of ['admin', 'adm1n', 'ad.min', 'admin_1', 'support-team', 'me', 'null', 'search'])
    it(`is ${name}`, () => assert.ok(isReservedUsername(name)));

  for (const name of ['ada', 'seif', 'm.e', 'searcher'])
    it(`is not ${name}`, () => assert.ok(!isReservedUsername(name)));
});
