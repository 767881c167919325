import { escape as quoted } from 'mysql2';

/** SQL text in which every value is escaped: only this module makes it. */
export interface Sql {
  readonly text: string;
}

export type Value = string | number | bigint | Uint8Array | Sql | readonly Value[];

/**
 * SQL with its values in place. An array becomes a list: `IN (${names})`; arrays in it become rows: `VALUES ${rows}`.
 * The server must read backslash escapes, which every connection of `openMysql` sees to.
 */
export function sql(strings: TemplateStringsArray, ...values: Value[]): Sql {
  let text = strings[0] ?? '';
  for (const [i, value] of values.entries()) text += literal(value) + strings[i + 1];
  return { text };
}

const HEX = /^[\da-f]*$/;

/** Bytes, from their hexadecimal digits. */
export function hex(digits: string): Sql {
  if (!HEX.test(digits)) throw new TypeError('these are no hexadecimal digits');
  return { text: `x'${digits}'` };
}

/** Statements as one, which has one result. */
export function block(statements: readonly Sql[]): Sql {
  return { text: `BEGIN NOT ATOMIC ${statements.map(({ text }) => `${text};`).join('\n')} END` };
}

function literal(value: Value): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array)
    return hex(Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')).text;
  if ('text' in value) return value.text;
  return value.map((item) => (Array.isArray(item) ? `(${literal(item)})` : literal(item))).join(',');
}
