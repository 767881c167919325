import assert from 'node:assert/strict';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { COMPILERS } from '../scripts/compilers/compilers.ts';
import { missing, runIn } from '../scripts/compilers/run-in.ts';

const README = readFileSync('proto/README.md', 'utf8');
const PUBLIC = /^(chatterbox\/v1|org)\//;
const TOOLS = ['protoc', 'buf'] as const;

describe('the protos', () => {
  it('hold Google’s own as they are published', () => {
    const vendored = globSync('google/**/*.proto', { cwd: 'proto' });
    assert.ok(vendored.length > 0);
    for (const path of [...vendored, 'google/LICENSE']) {
      const published = path === 'google/LICENSE' ? 'LICENSE' : path;
      assert.equal(
        readFileSync(join('proto', path), 'utf8'),
        readFileSync(join('node_modules/google-proto-files', published), 'utf8'),
        path,
      );
    }
  });

  it('say at their head when they are not for clients', () => {
    for (const path of globSync('chatterbox/internal/**/*.proto', { cwd: 'proto' }))
      assert.match(readFileSync(join('proto', path), 'utf8'), /^\/\/ [^\n]*not for clients/, path);
  });

  it('of the public import nothing internal, and are all in the README', () => {
    for (const path of globSync('**/*.proto', { cwd: 'proto' })) {
      const imports = [...readFileSync(join('proto', path), 'utf8').matchAll(/^import "([^"]+)"/gm)];
      if (PUBLIC.test(path))
        assert.deepEqual(
          imports.filter(([, to = '']) => !PUBLIC.test(to) && !to.startsWith('google/')),
          [],
        );
      assert.ok(README.includes(`| \`${topOf(path)}\` |`), `proto/README.md should tell of ${path}`);
    }
  });
});

describe('a copy of proto/ alone', function () {
  this.timeout(180_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chatterbox-protos-'));
    for (const path of globSync('proto/**/*.proto')) cpSync(path, join(folder, path));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  for (const compiler of COMPILERS)
    for (const [i, tool] of TOOLS.entries()) {
      const title = `becomes ${compiler.language} that compiles, by the README’s command with ${tool}`;
      const lacking = missing(compiler.commands[tool]);
      if (!compiler.isInstalled() || lacking.length > 0)
        it(`${title} (${lacking.join(', ') || 'not'} installed: ${compiler.howToInstall})`);
      else
        it(title, () => {
          runIn(folder, ['bash', '-e', '-c', commandOf(compiler.language, i)]);
          const made = globSync('gen/**/*', { cwd: folder });
          assert.ok(made.some((path) => /session/i.test(path)) && made.some((path) => /chat/.test(path)));
          compiler.check(folder);
        });
    }
});

/** The `index`th command of a language's part of the README. */
function commandOf(language: string, index: number): string {
  const part = README.split(/^## /m).find((text) => text.startsWith(`${language}\n`)) ?? '';
  const command = [...part.matchAll(/^```sh\n([\s\S]*?)^```/gm)][index]?.[1];
  assert.ok(command, `proto/README.md should have command ${index + 1} for ${language}`);
  return command;
}

/** The part of the tree that the README tells of as one. */
function topOf(path: string): string {
  return path.startsWith('org/') ? 'org' : path.split('/').slice(0, 2).join('/');
}
