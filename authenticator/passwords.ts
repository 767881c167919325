import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { dictionary } from '@zxcvbn-ts/language-common';
import { invalidField } from '#common/errors.ts';
import { isSystemName } from '#common/text/reserved-names.ts';
import { isBlank } from '#common/text/visible.ts';
import { type HashCaller, HashQueue } from './hash-queue.ts';

/** OWASP's for argon2id. */
const PARAMETERS: Parameters = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/;

const COMMON = new Set(dictionary['passwords-common'].map((word) => String(word).toLowerCase()));
/** Alone, or with digits and signs around and between its letters. */
const SERVICE_NAME = 'chatterbox';
const derive = promisify(argon2);

/**
 * The password as it is hashed: in NFC, because keyboards write the same letter in different ways.
 * @throws ServiceError INVALID_REQUEST naming `field` for one that nobody should choose.
 */
export function acceptablePassword(raw: string, username: string, field: string): string {
  const password = normal(raw);
  const length = [...password].length;
  if (length < 8 || length > 256) throw invalidField(field, 'must have 8 to 256 characters');
  if (/\p{Cc}/u.test(password)) throw invalidField(field, 'must not have control characters');
  // As a person sees it who is to guess it.
  const seen = password
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toLowerCase();
  if (isBlank(seen)) throw invalidField(field, 'must not be blanks only');
  if (new Set(seen).size === 1 || new Set(password.toLowerCase()).size === 1)
    throw invalidField(field, 'must not be one character repeated');
  const letters = seen.replace(/\P{L}/gu, '').replaceAll(SERVICE_NAME, '');
  if ((letters === '' && seen.includes(SERVICE_NAME)) || isSystemName(seen))
    throw invalidField(field, 'must not be the name of the service');
  if (seen === username) throw invalidField(field, 'must not be the username');
  if (COMMON.has(seen)) throw invalidField(field, 'is one of the commonest; choose another');
  return password;
}

/**
 * Hashes and checks, a few at a time (see HashQueue): each takes 19 MiB and a core. Stored as PHC strings.
 */
export class PasswordHasher {
  /** How many hashes were computed. */
  hashes = 0;
  readonly #queue: HashQueue;
  readonly #parameters: Parameters;
  /** What every hash of today begins with. */
  readonly #prefix: string;
  readonly #dummy: string;

  constructor(parameters: Parameters = PARAMETERS, queue = new HashQueue()) {
    const { memory, passes, parallelism, tagLength } = parameters;
    this.#parameters = parameters;
    this.#queue = queue;
    this.#prefix = `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$`;
    this.#dummy = `${this.#prefix}${base64(randomBytes(16))}$${base64(randomBytes(tagLength))}`;
  }

  /** @throws ServiceError OVERLOADED when too many wait. */
  async hash(password: string, caller: HashCaller): Promise<string> {
    const nonce = randomBytes(16);
    const tag = await this.#derive(password, nonce, this.#parameters, caller);
    return `${this.#prefix}${base64(nonce)}$${base64(tag)}`;
  }

  /** Without a hash (there is no such user) it costs the same and is false. @throws ServiceError OVERLOADED. */
  async isRight(password: string, stored: string | undefined, caller: HashCaller): Promise<boolean> {
    const [, memory, passes, parallelism, nonce = '', tag = ''] = PHC.exec(stored ?? this.#dummy) ?? [];
    const wanted = Buffer.from(tag, 'base64');
    const parameters = {
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
      tagLength: wanted.length,
    };
    const given = await this.#derive(normal(password), Buffer.from(nonce, 'base64'), parameters, caller);
    return stored !== undefined && timingSafeEqual(given, wanted);
  }

  /** Whether it was made with other parameters than today's. */
  isOutdated(stored: string): boolean {
    return !stored.startsWith(this.#prefix);
  }

  #derive(message: string, nonce: Buffer, parameters: Parameters, caller: HashCaller): Promise<Buffer> {
    return this.#queue.run(caller, () => {
      this.hashes++;
      return derive('argon2id', { message, nonce, ...parameters });
    });
  }
}

function normal(password: string): string {
  return password.normalize('NFC');
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** `memory` in KiB, `tagLength` in bytes. */
export interface Parameters {
  memory: number;
  passes: number;
  parallelism: number;
  tagLength: number;
}
