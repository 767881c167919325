import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'mocha';

const SERVICES = ['gateway', 'authenticator', 'userinfo', 'messenger'];
const SOURCES = globSync(
  '{common,gateway,authenticator,userinfo,messenger,scripts,test,bench}/**/*.ts',
).filter((path) => !path.endsWith('.d.ts'));

/** What a file may import, by where it stands. A rule sees the importer and the import, both from the project's root. */
const RULES: Record<string, (from: string, to: string) => boolean> = {
  'services meet over the wire, never by import': (from, to) =>
    !SERVICES.includes(top(from)) || !SERVICES.includes(top(to)) || top(from) === top(to),
  'common knows no service': (from, to) => top(from) !== 'common' || ['common', 'proto'].includes(top(to)),
  'from outside, a service is its service.ts and config.ts': (from, to) =>
    !['scripts', 'test'].includes(top(from)) ||
    !SERVICES.includes(top(to)) ||
    /^\w+\/(service|config)\.ts$/.test(to),
  'nothing imports a main.ts': (_, to) => !to.endsWith('/main.ts'),
  'only service.ts and the open-store.ts and transfer.ts that it calls know a service’s adapters': (
    from,
    to,
  ) =>
    !to.includes('/adapters/') ||
    top(from) === 'bench' ||
    from.includes('/adapters/') ||
    /\/(service|open-store|transfer|rotate-keys)\.ts$/.test(from),
  'an adapter knows ports, core types and common, never a transport': (from, to) =>
    !from.includes('/adapters/') || !/\/(grpc|http)(\/|\.ts)/.test(to) || top(to) === 'common',
  'the core does no transport': (from, to) =>
    !isCore(from) || top(to) === 'common' || top(to) === 'proto' || !/^\w+\/(grpc|http)(\/|\.ts)/.test(to),
  'ports are types only': (from, to) => !from.endsWith('/ports.ts') || to === '',
};

const DRIVERS = [
  'express',
  '@grpc/grpc-js',
  '@grpc/proto-loader',
  'node:sqlite',
  'node:http',
  'node:http2',
  'node:net',
  'prom-client',
  'mysql2/promise',
  'neo4j-driver',
  '@nats-io/transport-node',
];

describe('the architecture', () => {
  for (const [rule, allows] of Object.entries(RULES)) {
    it(rule, () => {
      const broken = SOURCES.filter((path) => !path.endsWith('.test.ts')).flatMap((from) =>
        importsOf(from)
          .filter((to) => !allows(from, to))
          .map((to) => `${from} imports ${to}`),
      );
      assert.deepEqual(broken, []);
    });
  }

  it('the environment is read in config.ts, main.ts and scripts only', () => {
    const readers = SOURCES.filter((path) => /process\.env/.test(readFileSync(path, 'utf8')));
    assert.deepEqual(
      readers.filter(
        (path) => !/(^|\/)(config|main|rotate-keys)\.ts$|^(scripts|test|bench)\/|\.test\.ts$/.test(path),
      ),
      [],
    );
  });

  it('durations are measured by a steady clock: what the machine’s clock tells is not subtracted', () => {
    const broken = SOURCES.filter(
      (path) => [...SERVICES, 'common'].includes(top(path)) && !/\.test\.ts$|^common\/clocks\.ts$/.test(path),
    ).flatMap((path) => subtractions(readFileSync(path, 'utf8')).map((found) => `${path}: ${found}`));
    assert.deepEqual(broken, []);
  });

  it('knows a subtraction of what the machine’s clock tells from others', () => {
    const wrong = [
      'if (this.#clock() - this.#at > 5) return;',
      'const age = Date.now() - at;',
      'const left = until - options.clock();',
      'left -= Date.now();',
      'const s = until - Math.floor(clock() / 1000);',
      'const s = Math.floor(this.#clock() / 1_000) - at;',
      'const began = this.#options.clock();\nreturn end -\n  began;',
      'this.#at = this.#clock();\nreturn end - this.#at;',
      'list.push({ heardAt: this.#clock() });\nreturn end - list[0].heardAt;',
      'function age(now: number) { return now - this.#at; }',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a source.
      'const sql = `at < ${now - KEPT_MS}`;',
      'const time = Date.now() / 1000;\nreturn time - 5;',
      'return Math.abs(new Date().getTime() - at);',
    ];
    const right = [
      'const now = this.#steady();\nreturn now - this.#at;',
      'const age = performance.now() - this.#at;',
      'const left = until - performance.now();',
      'return timeBefore(this.#clock(), KEPT_MS);',
      'const now = clock();\nreturn now + 5;',
      '// now - then\n/* clock() - at */ const x = a - b;',
      "import { x } from './until-now.ts';",
      'return identity.expiresAt * 1000 <= Date.now();',
    ];
    assert.deepEqual(
      wrong.filter((source) => subtractions(source).length === 0),
      [],
    );
    assert.deepEqual(right.flatMap(subtractions), []);
  });

  it('the core of the messenger and of userinfo uses no driver', () => {
    const drivers = SOURCES.filter(
      (path) => /^(messenger|userinfo)\/[\w-]+\.ts$/.test(path) && isCore(path),
    ).filter((path) => DRIVERS.some((driver) => readFileSync(path, 'utf8').includes(`from '${driver}'`)));
    assert.deepEqual(drivers, []);
  });
});

function top(path: string): string {
  return path.split('/')[0] ?? '';
}

/** A file that stands in a service's own folder and is none of the named roles. */
function isCore(path: string): boolean {
  return (
    SERVICES.slice(1).includes(top(path)) &&
    /^\w+\/[\w-]+\.ts$/.test(path) &&
    !/\/(main|config|service|http|rotate-keys|fixtures)\.ts$|\.test\.ts$/.test(path)
  );
}

const WALL = String.raw`(?:Math\.\w+\()?[\w.#?]*(?:\bclock|\bDate\.now|new Date\(\)\.getTime|#clock)\(\)`;
const STEADY = String.raw`[\w.#?]*(?:\bsteady|\bperformance\.now|#steady)\(\)`;

/**
 * The subtractions in a source that take a time of the machine's clock: what `clock()` or `Date.now()` gives,
 * a name or a property that was given that, and `now`, unless a steady clock told it. By the text, as Biome
 * formats it: a minus has spaces around it.
 */
function subtractions(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
  const named = (clock: string) =>
    [...code.matchAll(new RegExp(String.raw`(#?\b\w+)(?:: number)?(?: =|:) ${clock}`, 'g'))].map(
      ([, name = '']) => name,
    );
  const steady = named(STEADY);
  const times = [...named(WALL), ...(steady.includes('now') ? [] : ['now'])];
  const time = [WALL, ...times.map((name) => String.raw`[\w.#?[\]]*(?<!\w)${name}\b(?!\()`)].join('|');
  const found = code.matchAll(
    new RegExp(String.raw`(?:${time})\)*(?: \/ [\d_]+\)?)? -=?\s[^\n]*|[^\n]*\s-=?\s+\(*(?:${time})`, 'g'),
  );
  return Array.from(found, ([text]) => text.trim());
}

/** The project's own files that a file imports at run time or as types. */
function importsOf(path: string): string[] {
  const imports = readFileSync(path, 'utf8').matchAll(/(?:from|import\(?|new URL\()\s*'([.#][^']+)'/g);
  return Array.from(imports, ([, specifier = '']) => {
    if (specifier.startsWith('#proto/')) return `proto/gen/${specifier.slice(7)}`;
    if (specifier.startsWith('#common/')) return `common/${specifier.slice(8)}`;
    return relative('.', join(dirname(path), specifier));
  });
}
