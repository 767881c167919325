import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import jwt from 'jsonwebtoken';

/**
 * Accounts without passwords, and access tokens signed with the authenticator's own key: registering thousands is throttled and costs
 * 30 ms each, and is not what is measured. The authenticator must have made its key and its file of accounts. Returns a token for each.
 */
export function makePeople(dataDir: string, usernames: readonly string[]): Map<string, string> {
  addAccounts(join(dataDir, 'authenticator', 'accounts.db'), usernames);
  const [jwk] = JSON.parse(readFileSync(join(dataDir, 'authenticator', 'signing-keys.json'), 'utf8')).keys;
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  return new Map(
    usernames.map((username) => {
      const token = jwt.sign({ sid: `bench-${username}` }, key, {
        algorithm: 'ES256',
        keyid: jwk.kid,
        issuer: 'chatterbox',
        audience: 'chatterbox',
        subject: username,
        expiresIn: '12h',
      });
      return [username, token];
    }),
  );
}

function addAccounts(path: string, usernames: readonly string[]): void {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  const add = db.prepare(
    `INSERT OR IGNORE INTO account (seq, username, display_name, password_hash, created_at)
     VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM account), ?, ?, '', ?)`,
  );
  db.exec('BEGIN IMMEDIATE');
  for (const username of usernames) add.run(username, username, Date.now());
  db.exec('COMMIT');
  db.close();
}
