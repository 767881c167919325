import assert from 'node:assert/strict';
import fc from 'fast-check';
import { before, describe, it } from 'mocha';
import { DisplayName } from '../http/fields.ts';
import { linesProblem, nameProblem, normalText } from './visible.ts';

const SEED = { seed: 1, numRuns: 2_000 };
const REFUSED = ['Cc', 'Cf', 'Cn', 'Co', 'Cs', 'Zl', 'Zp'];
const SEEN = ['L', 'N', 'P', 'S'];
const BLANK = /[\p{Default_Ignorable_Code_Point}\u2800\u{1d159}\u{13441}\u{13442}]/u;

describe('a name that people see', () => {
  /** The code points of a general category, or of its group. */
  const of = new Map<string, number[]>([...REFUSED, ...SEEN, 'M'].map((name) => [name, []]));
  before(function () {
    this.timeout(20_000);
    const patterns = [...of].map(([name, list]) => ({ pattern: new RegExp(`^\\p{${name}}`, 'u'), list }));
    for (let c = 0; c <= 0x10ffff; c++) {
      const text = String.fromCodePoint(c);
      patterns.find(({ pattern }) => pattern.test(text))?.list.push(c);
    }
  });
  const anyOf = (names: string[]) =>
    fc.tuple(fc.constantFrom(...names), fc.nat()).map(([name, index]) => {
      const all = of.get(name) ?? [];
      return String.fromCodePoint(all[index % all.length] ?? 0);
    });
  const letters = fc.string({ unit: fc.constantFrom(...'abcxyz'), maxLength: 5 });

  it('has no character of the categories that nobody sees or knows, wherever it stands', () => {
    fc.assert(
      fc.property(letters, anyOf(REFUSED), letters, (start, refused, end) => {
        assert.match(nameProblem(`n${start}${refused}${end}`) ?? '', /^must not have U\+/);
      }),
      SEED,
    );
  });

  it('may have any letter, number, punctuation and symbol that is not blank', () => {
    fc.assert(
      fc.property(fc.array(anyOf(SEEN), { minLength: 1, maxLength: 8 }), (characters) => {
        const name = characters.filter((text) => !BLANK.test(text.normalize('NFKC'))).join('');
        // One that is a blank and a mark in NFKC, such as ´, is nothing to see alone.
        assert.equal(nameProblem(normalText(`n${name}`)), undefined);
      }),
      SEED,
    );
  });

  it('has no blank letter, whatever form it has: by the property, not by a list', () => {
    const blanks = [...(of.get('L') ?? []), ...(of.get('S') ?? [])]
      .map((c) => String.fromCodePoint(c))
      .filter((text) => BLANK.test(text.normalize('NFKC')));
    for (const hangul of ['\u115f', '\u1160', '\u3164', '\uffa0', '\u2800'])
      assert.ok(blanks.includes(hangul));
    for (const blank of blanks) {
      assert.ok(nameProblem(blank), blank);
      assert.ok(nameProblem(`a${blank}b`), blank);
    }
  });

  it('has 4 combining marks on a character and no more', () => {
    const stable = (of.get('M') ?? [])
      .map((c) => String.fromCodePoint(c))
      .filter((mark) => mark.normalize('NFKC') === mark && !BLANK.test(mark));
    const marks = (count: { minLength: number; maxLength: number }) =>
      fc.array(fc.constantFrom(...stable), count);
    fc.assert(
      fc.property(
        marks({ minLength: 0, maxLength: 4 }),
        marks({ minLength: 5, maxLength: 30 }),
        (few, many) => {
          assert.equal(nameProblem(`n□${few.join('')}□${few.join('')}`), undefined);
          assert.equal(
            nameProblem(`n□${many.join('')}`),
            'must not have more than 4 combining marks on one character',
          );
        },
      ),
      SEED,
    );
  });

  it('has something to see besides marks and blanks', () => {
    const unseen = fc.oneof(fc.constantFrom(' ', '\u00a0', '\u3000', '\u2003'), anyOf(['M']));
    fc.assert(
      fc.property(fc.array(unseen, { maxLength: 4 }), (characters) => {
        const name = characters.join('');
        fc.pre(!/[\p{S}\p{L}]/u.test(name.normalize('NFKC')));
        assert.ok(nameProblem(name));
      }),
      SEED,
    );
  });

  it('joins emoji where Unicode recommends the sequence, and nowhere else', () => {
    const emoji = Array.from({ length: 0x20000 }, (_, c) => String.fromCodePoint(c)).filter((text) =>
      /^\p{Emoji_Presentation}$/u.test(text),
    );
    const part = fc.oneof(
      fc.constantFrom('👩', '👨', '🧑', '💻', '🚀', '❤️', '👧', '🏳️', '🌈'),
      fc.constantFrom(...emoji),
    );
    fc.assert(
      fc.property(part, part, (one, two) => {
        const joined = `${one}\u200d${two}`;
        assert.equal(nameProblem(joined) === undefined, /^\p{RGI_Emoji}$/v.test(joined), joined);
        assert.equal(nameProblem(one + two), undefined);
      }),
      SEED,
    );
  });

  it('has a joiner after a virama, and a non-joiner there or between letters that join: RFC 5892', () => {
    const arabic = fc.constantFrom(...'بتثجحخسشصضطظعغفقكلمنهي');
    const marks = fc.constantFrom('', '\u064e', '\u0651\u0650');
    const virama = fc.constantFrom('क\u094d', 'ক\u09cd', 'ක\u0dca', 'ക\u0d4d');
    const joiner = fc.constantFrom('\u200c', '\u200d');
    const apart = fc.constantFrom(...'aßжλ山가אऄก');
    fc.assert(
      fc.property(arabic, marks, arabic, virama, joiner, apart, (one, mark, two, dead, any, other) => {
        assert.equal(nameProblem(`${one}${mark}\u200c${mark}${two}`), undefined);
        assert.equal(nameProblem(`${dead}${any}ष`), undefined);
        assert.ok(nameProblem(`${one}\u200d${two}`));
        for (const stray of [
          `${other}${any}${other}`,
          `${any}${one}`,
          `${one}${any}`,
          `${one}\u200c\u200c${two}`,
        ])
          assert.ok(nameProblem(stray), JSON.stringify(stray));
      }),
      SEED,
    );
  });

  it('is stored in one form, which is judged like any other of the same text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(anyOf(SEEN), anyOf(['M'])), minLength: 1, maxLength: 20 }),
        (raw) => {
          const [composed, decomposed] = [raw, raw.normalize('NFD')].map((text) =>
            DisplayName.safeParse(text),
          );
          assert.equal(decomposed?.success, composed?.success);
          if (!composed?.success) return;
          assert.equal(decomposed?.data, composed.data);
          assert.equal(composed.data, composed.data.normalize('NFC'));
          assert.deepEqual(DisplayName.safeParse(composed.data).data, composed.data);
        },
      ),
      SEED,
    );
  });

  for (const name of [
    'Ada Lovelace',
    'Zoë',
    'محمد',
    'می\u200cخواهم',
    'क्\u200dष',
    'Nguyễn Thị Hằng',
    'נָעֳמִי',
    'กิ่งแก้ว',
    '葛\u{e0100}城',
  ])
    it(`may be ${name}`, () => assert.equal(nameProblem(name), undefined));
  for (const name of ['🇸🇪', '🏴󠁧󠁢󠁷󠁬󠁳󠁿', '👩‍👩‍👧‍👦', '👩🏽‍🚀', '1️⃣', '❤️‍🔥', '™️', 'ℹ️', '❤︎', '😀️'])
    it(`may have ${name}`, () => assert.equal(nameProblem(name), undefined));
  for (const [what, name] of [
    ['a right-to-left override', 'a\u202eb'],
    ['an isolate', 'a\u2067b'],
    ['a soft hyphen', 'a\u00adb'],
    ['a zero width space', 'a\u200bb'],
    ['tag characters without a flag', 'a\u{e0061}\u{e0062}'],
    ['a variation selector that varies nothing', 'a\ufe0f'],
    ['a grapheme joiner', 'a\u034fb'],
    ['zalgo', 'Z\u0351\u036b\u0343\u032a\u0302a'],
    ['zalgo in front of joiners', 'क\u094d\u200d\u0951\u0951\u0951\u0951\u0951'],
    ['a line', 'a\nb'],
    ['half a surrogate pair', '\ud83d'],
  ] as const)
    it(`must not have ${what}`, () => assert.ok(nameProblem(name)));

  it('has 64 characters at most as it is stored, whatever form it is sent in', () => {
    assert.equal(DisplayName.safeParse('é'.repeat(64).normalize('NFD')).success, true);
    assert.equal(DisplayName.safeParse('é'.repeat(65)).success, false);
    // In NFC these three are six characters.
    assert.equal(DisplayName.safeParse('\ufb2c'.repeat(22)).success, false);
  });
});

describe('a text of several lines', () => {
  it('has tabs and ends of lines, and else what a name may have', () => {
    assert.equal(linesProblem('\tone\n\ntwo 👩‍🚀'), undefined);
    assert.equal(linesProblem(normalText('one\r\ntwo')), undefined);
    for (const text of ['a\rb', 'a\u0000b', 'a\u2028b', 'a\u202eb', 'a\ue000b', '\u3164', 'a\ud800'])
      assert.ok(linesProblem(text), JSON.stringify(text));
  });
});
