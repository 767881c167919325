import { LOOKALIKES } from './unicode-tables.ts';

/** Names that would look like the system speaking. */
const SYSTEM = [
  'admin',
  'administrator',
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

const PROTOTYPES = new Map(
  Object.entries(LOOKALIKES).flatMap(([prototype, characters]) =>
    [...characters].map((character) => [character, prototype] as const),
  ),
);

const RESERVED = new Set(SYSTEM.map(likeness));
const RESERVED_WORDS = new Set(WORDS);

/**
 * Whether a name cannot be told from one of the system, by the skeletons of UTS 39, also with blanks,
 * punctuation and symbols around and between its letters.
 */
export function isSystemName(name: string): boolean {
  const plain = name.replace(/[^\p{L}\p{N}\p{M}]/gu, '');
  const candidates = [
    likeness(name.trim()),
    likeness(plain),
    likeness(name).replace(/[^\p{L}\p{N}\p{M}]/gu, ''),
  ];
  return candidates.some((candidate) => RESERVED.has(candidate));
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
  return skeleton(skeleton(name.normalize('NFKC')).toLowerCase()).replaceAll('i', 'l');
}

/** As far as it can be ASCII letters: other prototypes occur in no reserved name. */
function skeleton(text: string): string {
  return Array.from(
    text.normalize('NFD').replace(/\p{Default_Ignorable_Code_Point}/gu, ''),
    (character) => PROTOTYPES.get(character) ?? character,
  ).join('');
}
