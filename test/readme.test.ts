import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { REASONS } from '#common/errors.ts';
import { SETTINGS } from '#common/settings.ts';

const README = readFileSync('README.md', 'utf8');
const EXAMPLE = readFileSync('.env.example', 'utf8');
const DEFAULTS = new Map(
  Array.from(EXAMPLE.matchAll(/^([A-Z_]+)=(.*)$/gm), ([, name = '', value = '']) => [name, value]),
);

describe('the README', () => {
  it('lists every error with its codes', () => {
    for (const [reason, { code, http, title }] of Object.entries(REASONS)) {
      assertHasLine(`| \`${reason}\` | ${code} | ${http} | ${title} |`);
    }
  });

  it('lists every setting with its default', () => {
    for (const [name, meaning] of Object.entries(SETTINGS)) {
      const value = DEFAULTS.get(name);
      assertHasLine(`| \`${name}\` | ${value ? `\`${value}\`` : ''} | ${meaning} |`);
    }
  });
});

describe('.env.example', () => {
  it('names every setting and nothing else', () => {
    assert.deepEqual([...DEFAULTS.keys()].toSorted(), Object.keys(SETTINGS).toSorted());
  });
});

function assertHasLine(line: string): void {
  assert.ok(README.split('\n').includes(line), `the README should have the line\n${line}`);
}
