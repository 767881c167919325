import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { log } from './fixtures/world.ts';
import { SigningKeys } from './keys.ts';
import { ensureKeys, rotateKeys } from './keys-file.ts';

const DAY_MS = 86_400_000;

describe('the signing keys', () => {
  let folder: string;
  let path: string;
  let now: number;
  /** What the steady clock tells: it goes on with `pass`, and no set clock moves it. */
  let steady: number;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keys-'));
    path = join(folder, 'signing-keys.json');
    now = 1_700_000_000_000;
    steady = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = () =>
    new SigningKeys(
      path,
      () => now,
      () => steady,
      log,
    );
  const pass = (ms: number) => {
    now += ms;
    steady += ms;
  };
  const kids = (keys: SigningKeys) => keys.jwks().keys.map(({ kid }) => kid);

  it('are made once, for the owner’s eyes only', () => {
    ensureKeys(path, now);
    const [first] = kids(open());
    ensureKeys(path, now);
    assert.deepEqual(kids(open()), [first]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    rotateKeys(path, now);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['signing-keys.json']);
  });

  it('stay readable to whoever may read them when they are rotated', () => {
    ensureKeys(path, now);
    chmodSync(path, 0o640);
    rotateKeys(path, now);
    assert.equal(statSync(path).mode & 0o777, 0o640);
  });

  it('are published without what is private', () => {
    ensureKeys(path, now);
    const [jwk = {}] = open().jwks().keys;
    assert.deepEqual(Object.keys(jwk).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  });

  it('publish a new one a minute before it signs', () => {
    ensureKeys(path, now);
    const keys = open();
    const old = keys.signing().kid;
    const added = rotateKeys(path, now);
    pass(59_000);
    assert.deepEqual(kids(keys), [old, added]);
    assert.equal(keys.signing().kid, old);
    pass(1_000);
    assert.equal(keys.signing().kid, added);
    assert.ok(keys.publicKey(old));
  });

  for (const step of [3_600_000, -3_600_000])
    it(`are read again within a second of a change though the clock was set by ${step / 60_000} min`, () => {
      ensureKeys(path, now);
      const keys = open();
      const [first] = kids(keys);
      now += step;
      steady += 1_000;
      kids(keys);
      const added = rotateKeys(path, now);
      now -= step;
      assert.deepEqual(kids(keys), [first], 'not within the second');
      steady += 1_000;
      assert.deepEqual(kids(keys), [first, added]);
    });

  it('drop one at a rotation once the last token that it signed has expired, and not before', () => {
    ensureKeys(path, now);
    const keys = open();
    const first = keys.signing().kid;
    const second = rotateKeys(path, now);
    pass(31 * DAY_MS);
    const third = rotateKeys(path, now);
    assert.deepEqual(kids(open()), [first, second, third]);
    pass(DAY_MS);
    const fourth = rotateKeys(path, now);
    assert.deepEqual(kids(open()), [second, third, fourth]);
    assert.equal(open().publicKey(first), undefined);
  });

  it('keep the one in use, however old, when nobody has rotated for years', () => {
    ensureKeys(path, now);
    const old = open().signing().kid;
    pass(1_000 * DAY_MS);
    const added = rotateKeys(path, now);
    assert.deepEqual(kids(open()), [old, added]);
    assert.equal(open().signing().kid, old);
  });

  it('go on working as they were read while their file is damaged or gone, and take the mended one', () => {
    ensureKeys(path, now);
    const keys = open();
    const [kid] = kids(keys);
    for (const damage of [() => writeFileSync(path, '{"keys":[]}'), () => rmSync(path)]) {
      damage();
      pass(2_000);
      assert.equal(keys.signing().kid, kid);
    }
    ensureKeys(path, now);
    pass(2_000);
    assert.notEqual(keys.signing().kid, kid);
  });

  it('that cannot be used refuse the start in words, and show nothing of what the file says', () => {
    assert.throws(open, /there is no such file/);
    for (const text of ['', 'not JSON', '{}', '{"keys":[]}', '{"keys":[{"kty":"RSA","d":"hush"}]}']) {
      writeFileSync(path, text);
      assert.throws(open, (error: Error) => error.message === `${path} is not a file of signing keys`);
    }
    const off = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', d: 'AA', kid: 'k', nbf: 0 };
    writeFileSync(path, JSON.stringify({ keys: [off] }));
    assert.throws(open, (error: Error) => error.message.startsWith(path) && !error.message.includes('AA'));
  });
});

describe('the command that rotates the keys', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keys-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const rotate = (env: Record<string, string>) =>
    spawnSync(process.execPath, [join(import.meta.dirname, 'rotate-keys.ts')], { env, encoding: 'utf8' });

  it('adds one to the file in the data folder, and says which', () => {
    mkdirSync(join(folder, 'authenticator'));
    const path = join(folder, 'authenticator', 'signing-keys.json');
    ensureKeys(path, Date.now() - 60_000);
    const { status, stdout, stderr } = rotate({ DATA_DIR: folder });
    assert.deepEqual([status, stderr], [0, '']);
    const { keys } = JSON.parse(readFileSync(path, 'utf8'));
    assert.equal(keys.length, 2);
    assert.equal(stdout, `${path}: key ${keys[1].kid} is published and signs in a minute.\n`);
  });

  it('says in one line that there is no such file, and makes nothing', () => {
    const { status, stdout, stderr } = rotate({ DATA_DIR: join(folder, 'mistyped') });
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^the signing keys in \S+ cannot be read: there is no such file[^\n]*\n$/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('says in one line that it cannot write, and leaves the file as it was', () => {
    // A name so long that the draft beside the file cannot be made; permissions would not stop root.
    const path = join(folder, `${'k'.repeat(240)}.json`);
    ensureKeys(join(folder, 'short'), Date.now());
    const before = readFileSync(join(folder, 'short'), 'utf8');
    writeFileSync(path, before);
    const { status, stdout, stderr } = rotate({ CHATTERBOX_SIGNING_KEYS: path });
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^the signing keys in \S+ cannot be written: ENAMETOOLONG; nothing was changed\n$/);
    assert.equal(readFileSync(path, 'utf8'), before);
  });

  it('tells a setting that is wrong like every other command', () => {
    const { status, stderr } = rotate({ CHATTERBOX_SINGING_KEYS: '/somewhere' });
    assert.equal(status, 1);
    assert.match(stderr, /did you mean CHATTERBOX_SIGNING_KEYS\?/);
  });
});
