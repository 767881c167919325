import { readFileSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { parse } from 'yaml';

/** A service of docker-compose.yml, as far as it concerns what runs in it. */
export interface Container {
  image: string;
  command: string[];
  environment: Record<string, string>;
  secrets: string[];
  networks: string[];
  ports?: string[];
  volumes?: string[];
  healthcheck: { test: string[] };
  read_only?: boolean;
  restart: string;
}

export interface Compose {
  services: Record<string, Container>;
  networks: Record<string, { internal?: boolean; ipam?: { config: { subnet: string }[] } }>;
  secrets: Record<string, { file: string }>;
}

export function readCompose(): Compose {
  return parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });
}

/** Our own containers, not the engines'. */
export function containersOf({ services }: Compose): [name: string, container: Container][] {
  return Object.entries(services).filter(([, { image }]) => image === 'chatterbox');
}

/** The image's own environment: the values of ENV in the Dockerfile. */
export function imageEnvironment(): Record<string, string> {
  const [, env = ''] = /^ENV ((?:.*\\\n)*.*)$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? [];
  return Object.fromEntries(
    Array.from(env.matchAll(/(\w+)=(\S+)/g), ([, name = '', value = '']) => [name, value]),
  );
}

/** Whether `COPY . .` takes a path from the project's root: of the lines of .dockerignore that match it or a folder above, the last one says. */
export function isInImage(path: string): boolean {
  const parts = path.split('/');
  const above = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
  const matching = LINES.filter((line) =>
    above.some((folder) => matchesGlob(folder, line.replace(/^!/, ''))),
  );
  return matching.at(-1)?.startsWith('!') ?? true;
}

const LINES = readFileSync('.dockerignore', 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
