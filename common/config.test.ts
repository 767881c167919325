import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { ConfigError, ConfigReader, type Env, readAll } from './config.ts';

function problemsOf(env: Env, read: (reader: ConfigReader) => void): string[] {
  const reader = new ConfigReader(env);
  read(reader);
  try {
    reader.finish();
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
}

describe('the configuration', () => {
  it('uses defaults for what is unset or empty', () => {
    const reader = new ConfigReader({ HOST: '' });
    assert.equal(reader.text('HOST', '127.0.0.1'), '127.0.0.1');
    assert.equal(reader.port('PORT', 8080), 8080);
    assert.equal(reader.flag('CHATTERBOX_REFLECTION', true), true);
    assert.deepEqual(reader.list('CHATTERBOX_CORS_ORIGINS'), []);
    reader.finish();
  });

  it('reports every problem at once, in words', () => {
    const env = {
      PORT: '80a',
      CHATTERBOX_REFLECTION: 'yes',
      CHATTERBOX_AUTH_URL: 'auth',
      CHATTERBOX_MESSENGER: 'm1:9090,9090,[::1]:1,::1:1',
    };
    const problems = problemsOf(env, (reader) => {
      reader.port('PORT', 1);
      reader.flag('CHATTERBOX_REFLECTION', true);
      reader.url('CHATTERBOX_AUTH_URL', '');
      reader.addresses('CHATTERBOX_MESSENGER', []);
    });
    assert.deepEqual(problems, [
      'PORT must be a whole number from 0 to 65535, not "80a"',
      'CHATTERBOX_REFLECTION must be one of on, off, not "yes"',
      'CHATTERBOX_AUTH_URL must be an http:// or https:// URL, not "auth"',
      'CHATTERBOX_MESSENGER must be host:port or a list of them, not "9090"',
      'CHATTERBOX_MESSENGER must be host:port or a list of them, not "::1:1"',
    ]);
  });

  it('takes an unknown CHATTERBOX_ name for a mistake, and says which setting was meant', () => {
    assert.deepEqual(
      problemsOf({ CHATTERBOX_SEND_RAET: '1', CHATTERBOX_ENTIRELY_UNKNOWN: '1', PATH: '/bin' }, () => {}),
      [
        'CHATTERBOX_SEND_RAET is not a setting; did you mean CHATTERBOX_SEND_RATE?',
        'CHATTERBOX_ENTIRELY_UNKNOWN is not a setting',
      ],
    );
  });

  it('takes a value from the file that NAME_FILE names, without the line break at its end', () => {
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const file = join(folder, 'secret');
    writeFileSync(file, 'mysql://user:password@host/database\n');
    const reader = new ConfigReader({ CHATTERBOX_MESSAGES_URL_FILE: file, CHATTERBOX_ISSUER_FILE: '' });
    assert.equal(
      reader.storeUrl('CHATTERBOX_MESSAGES_URL', 'sqlite:', ['mysql:']),
      'mysql://user:password@host/database',
    );
    assert.equal(reader.text('CHATTERBOX_ISSUER', 'us'), 'us');
    reader.finish();

    writeFileSync(file, '\n');
    const env = {
      CHATTERBOX_MESSAGES_URL_FILE: file,
      CHATTERBOX_SERVICE_SECRET_FILE: '/nowhere',
      CHATTERBOX_ISSUER: 'a',
      CHATTERBOX_ISSUER_FILE: file,
      CHATTERBOX_ISSURE_FILE: file,
    };
    assert.deepEqual(
      problemsOf(env, () => {}),
      [
        `CHATTERBOX_MESSAGES_URL_FILE: ${file} is empty`,
        'CHATTERBOX_SERVICE_SECRET_FILE: /nowhere cannot be read (ENOENT)',
        'CHATTERBOX_ISSUER and CHATTERBOX_ISSUER_FILE are both set',
        'CHATTERBOX_ISSURE_FILE is not a setting',
      ],
    );
    rmSync(folder, { recursive: true });
  });

  it('of several services is reported as one, each problem once', () => {
    const read = () => {
      const reader = new ConfigReader({ PORT: 'x' });
      reader.port('PORT', 1);
      reader.finish();
    };
    assert.throws(
      () => readAll([read, read]),
      (error) => error instanceof ConfigError && error.problems.length === 1,
    );
    assert.deepEqual(readAll([() => 1, () => 'two']), [1, 'two']);
  });
});
