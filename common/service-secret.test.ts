import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { ConfigReader, type Env } from './config.ts';
import { readServiceSecret, requireServiceSecret } from './service-secret.ts';

function read(env: Env, dataDir: string): string {
  const reader = new ConfigReader(env);
  const secret = readServiceSecret(reader, dataDir);
  reader.finish();
  return secret;
}

/** As random bytes are, nearly always. */
function isVaried(bytes: Uint8Array): boolean {
  return new Set(bytes).size >= 14;
}

describe('the service secret', () => {
  it('is made once in the data folder, for its owner only, and shared by all that read it there', () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const secret = read({}, dataDir);
    assert.ok(secret.length >= 32);
    assert.equal(read({}, dataDir), secret);
    assert.equal(statSync(join(dataDir, 'service-secret')).mode & 0o777, 0o600);
    rmSync(dataDir, { recursive: true });
  });

  it('must be configured in production, and be long enough', () => {
    assert.throws(() => read({ NODE_ENV: 'production' }, '/nowhere'), /must be set in production/);
    assert.throws(() => read({ CHATTERBOX_SERVICE_SECRET: 'short' }, '/nowhere'), /32 characters/);
    const random = randomBytes(16).toString('hex');
    assert.equal(read({ CHATTERBOX_SERVICE_SECRET: random, NODE_ENV: 'production' }, '/nowhere'), random);
  });

  it('must not be easy to guess', () => {
    for (const secret of [
      'x'.repeat(32),
      'abcdefgh'.repeat(8),
      '01'.repeat(20) + '2'.repeat(12),
      ' '.repeat(64),
    ])
      assert.throws(() => read({ CHATTERBOX_SERVICE_SECRET: secret }, '/nowhere'), /guess/, secret);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }).filter(isVaried), (bytes) => {
        const secret = Buffer.from(bytes).toString('hex');
        assert.equal(read({ CHATTERBOX_SERVICE_SECRET: secret }, '/nowhere'), secret);
      }),
      { seed: 1 },
    );
  });

  it('lets only its own pass', () => {
    requireServiceSecret('right', 'right');
    for (const wrong of ['wrong', 'righ', 'right!', '', undefined, ['right'], Buffer.from('right')]) {
      assert.throws(() => requireServiceSecret(wrong, 'right'));
    }
  });
});
