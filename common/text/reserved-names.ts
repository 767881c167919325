import { LOOKALIKES } from './unicode-tables.ts';

/** Names that would look like the system speaking. */
const SYSTEM = [
  'admin',
  'administrator',
  'administrators',
  'anonymous',
  'chatterbox',
  'everyone',
  'help',
  'moderator',
  'root',
  'support',
  'system',
];

/** Names that would collide with a path or with a word of a program. */
const WORDS = [
  'friends',
  'health',
  'healthz',
  'me',
  'null',
  'people',
  'readyz',
  'requests',
  'search',
  'self',
  'suggestions',
  'undefined',
];

/** Words that make a name of the system no other one. */
const COMPANIONS = ['team', 'staff', 'official', 'service', 'the'];

/** Letters that UTS 39 leaves alone because they look like capitals that are small, or stand in a box. */
const SMALL_CAPITALS = 'ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡxʏᴢ';
const FIRST_IN_BOXES = [0x1f150, 0x1f170];
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz';

const PROTOTYPES = new Map(
  Object.entries(LOOKALIKES).flatMap(([prototype, characters]) =>
    [...characters].map((character) => [character, prototype] as const),
  ),
);

for (const [i, letter] of [...ALPHABET].entries()) {
  PROTOTYPES.set([...SMALL_CAPITALS][i] ?? letter, letter);
  for (const first of FIRST_IN_BOXES) PROTOTYPES.set(String.fromCodePoint(first + i), letter);
}
// NFKC makes another letter of a lunate sigma.
for (const sigma of 'ϲϹ') PROTOTYPES.set(sigma, 'c');

const RESERVED = new Set(SYSTEM.map(likeness));
const RESERVED_COMPANIONS = new Set(COMPANIONS.map(likeness));
const RESERVED_WORDS = new Set(WORDS);

/**
 * Whether a name cannot be told from one of the system, by the skeletons of UTS 39: also with blanks,
 * punctuation and symbols around and between its letters, with marks on them, and with numbers or words like
 * "team" beside it.
 */
export function isSystemName(name: string): boolean {
  const plain = name.replace(/[^\p{L}\p{N}\p{M}\p{So}]/gu, '');
  const looks = [name, plain].flatMap((text) => [likeness(text), likeness(text.normalize('NFKC'))]);
  if (looks.some((look) => RESERVED.has(look) || RESERVED.has(look.replace(/[^\p{L}\p{N}]/gu, ''))))
    return true;
  const words = (name.match(/[\p{L}\p{N}\p{M}\p{So}]+/gu) ?? []).map((word) =>
    likeness(word.normalize('NFKC')),
  );
  const isSystem = (word: string) => RESERVED.has(word);
  return words.some(isSystem) && words.every((word) => isSystem(word) || isCompanion(word));
}

function isCompanion(word: string): boolean {
  return /^[\p{N}lo]+$/u.test(word) || RESERVED_COMPANIONS.has(word);
}

/**
 * Whether no account may be made under this canonical username: a name of the system, or a word of paths and
 * programs.
 */
export function isReservedUsername(username: string): boolean {
  return RESERVED_WORDS.has(username) || isSystemName(username);
}

/**
 * Equal for names that look alike, whatever their case. The skeleton is taken before the case is folded and
 * after it: other letters look like ASCII in one case than in the other. An I is an l to UTS 39, so that here
 * an i is one too.
 */
function likeness(name: string): string {
  return skeleton(skeleton(name).toLowerCase()).replaceAll('i', 'l');
}

/**
 * As far as it can be ASCII letters: other prototypes occur in no reserved name. Marks that look like no
 * letter go.
 */
function skeleton(text: string): string {
  return Array.from(
    text
      .normalize('NFD')
      .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
      .trim(),
    (character) => PROTOTYPES.get(character) ?? (/\p{M}/u.test(character) ? '' : character),
  ).join('');
}
