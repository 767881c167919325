import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureKeys } from '../authenticator/service.ts';

/**
 * `npm run secrets [-- --to FOLDER] [--from DATA_FOLDER]`: makes the secrets that docker-compose.yml mounts, in ./secrets. What is there
 * stays: the databases remember their passwords. With --from the signing keys and the service secret of an embedded system are taken, so
 * that whoever is logged in there stays logged in.
 */
const { values } = parseArgs({ options: { to: { type: 'string' }, from: { type: 'string' } } });
const folder = values.to ?? 'secrets';
const isNew = !existsSync(folder);
makeSecrets(folder, values.from);
console.log(isNew ? `Made ${folder}; keep a copy where it is safe.` : `${folder} is complete.`);

function makeSecrets(to: string, from: string | undefined): void {
  // The folder keeps others out; the files are read in the containers by users of their own.
  mkdirSync(join(to, 'keys'), { recursive: true });
  chmodSync(to, 0o700);
  chmodSync(join(to, 'keys'), 0o755);
  const keys = join(to, 'keys', 'signing-keys.json');
  if (from !== undefined && !existsSync(keys))
    copyFileSync(join(from, 'authenticator', 'signing-keys.json'), keys);
  ensureKeys(keys, Date.now());
  chmodSync(keys, 0o644);

  const secret = (name: string, make: () => string): string => {
    const path = join(to, name);
    if (!existsSync(path)) writeFileSync(path, make(), { mode: 0o644 });
    return readFileSync(path, 'utf8');
  };
  secret('service-secret', () =>
    from === undefined ? random() : readFileSync(join(from, 'service-secret'), 'utf8'),
  );
  secret('mysql-root-password', random);
  const mysql = secret('mysql-password', random);
  secret('mysql-url', () => `mysql://chatterbox:${mysql}@mysql:3306/chatterbox`);
  const neo4j = secret('neo4j-auth', () => `neo4j/${random()}`).slice('neo4j/'.length);
  secret('neo4j-url', () => `bolt://neo4j:${neo4j}@neo4j:7687`);
  const nats = secret('nats-url', () => `nats://chatterbox:${random()}@nats:4222`);
  secret('nats.conf', () => natsConfig(nats));
}

/** Made of characters that a URL and a shell leave alone. */
function random(): string {
  return randomBytes(24).toString('hex');
}

function natsConfig(url: string): string {
  const { username, password } = new URL(url);
  return `port: 4222
http: "127.0.0.1:8222"
max_payload: 1MB
authorization { user: "${username}", password: "${password}" }
`;
}
