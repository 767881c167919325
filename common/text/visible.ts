import { JOINS_NEXT, JOINS_PREVIOUS, TRANSPARENT_LETTERS, VIRAMA } from './unicode-tables.ts';

/** Marks on one base: no language needs more, and a stack of them covers the lines above and below. */
const MAX_MARKS = 4;

/** Stands for an emoji while the text around it is judged: a visible symbol that joins nothing. */
const EMOJI_STAND_IN = '□';

const EMOJI = /\p{RGI_Emoji}/gv;

/**
 * RFC 5892 A.1 and A.2: a joiner has a meaning after a virama, and a non-joiner also between letters that
 * would join.
 */
const T = `[\\p{Mn}\\p{Me}${TRANSPARENT_LETTERS}]`;
const JOINERS = new RegExp(
  `(?<=[${VIRAMA}])[\\u200c\\u200d]|(?<=[${JOINS_NEXT}]${T}*)\\u200c(?=${T}*[${JOINS_PREVIOUS}])`,
  'gu',
);

/**
 * A variation selector where Unicode defines variations: of ideographs, of pictures, and of Mongolian
 * letters.
 */
const VARIATIONS = new RegExp(
  `(?<=\\p{Ideographic})[\\ufe00-\\ufe02\\u{e0100}-\\u{e01ef}]|` +
    `(?<=[\\p{Extended_Pictographic}${EMOJI_STAND_IN}])[\\ufe0e\\ufe0f]|` +
    '(?<=\\p{Script=Mongolian})[\\u180b-\\u180d\\u180f]',
  'gu',
);

/**
 * Characters with a blank picture though no property says so: of Braille, of musical symbols, and of
 * hieroglyphs.
 */
const BLANKS = '\\u2800\\u{1d159}\\u{13441}\\u{13442}';

/** Invisible, unassigned and private characters. Lone surrogates are among them. */
const REFUSED = new RegExp(
  `[\\p{Cc}\\p{Cf}\\p{Co}\\p{Cn}\\p{Cs}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}${BLANKS}]`,
  'u',
);
const VISIBLE = new RegExp(`[[\\p{L}\\p{N}\\p{P}\\p{S}]--[\\p{Default_Ignorable_Code_Point}${BLANKS}]]`, 'v');
const STACK = new RegExp(`(?:\\p{M}[\\u200c\\u200d]*){${MAX_MARKS + 1}}`, 'u');

/** A text as it is stored: NFC, with LF for each end of line. */
export function normalText(raw: string): string {
  return raw.replaceAll('\r\n', '\n').normalize('NFC');
}

/**
 * What is wrong with a text that people see, in the user's words; undefined when nothing is. It is judged as
 * NFKC: what is compatible with a refused character is refused. Tabs and ends of lines are refused too: a
 * text of several lines is judged by `linesProblem`.
 */
export function textProblem(text: string): string | undefined {
  const judged = text.replace(EMOJI, EMOJI_STAND_IN).normalize('NFKC');
  const refused = REFUSED.exec(judged.replace(JOINERS, '').replace(VARIATIONS, ''))?.[0];
  if (refused !== undefined)
    return `must not have ${codePoint(refused)}: control, invisible and unassigned characters are refused`;
  if (STACK.test(judged)) return `must not have more than ${MAX_MARKS} combining marks on one character`;
  return undefined;
}

/** The same of a text that may have several lines and tabs. */
export function linesProblem(text: string): string | undefined {
  return textProblem(text.replace(/[\n\t]/g, ' '));
}

/** The same of a name, which also has something to see. */
export function nameProblem(name: string): string | undefined {
  const problem = textProblem(name);
  return problem ?? (isBlank(name) ? 'must have a visible character' : undefined);
}

/** Whether there is nothing to see: blanks, marks and invisible characters alone. */
export function isBlank(text: string): boolean {
  return !VISIBLE.test(text.normalize('NFKC'));
}

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`;
}
