import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from '../engines/engine.ts';
import { putOnPath } from './run-in.ts';

/** What makes code from the protos in one language, and what that code needs to compile: for tests. */
export interface Compiler {
  /** The heading of its part in proto/README.md. */
  language: string;
  howToInstall: string;
  isInstalled(): boolean;
  /** Installs it, with what this machine has; quick when it is there. @throws Error when that fails. */
  install(): void;
  /** The commands that proto/README.md uses, with protoc and with buf. */
  commands: Record<'protoc' | 'buf', string[]>;
  /** Compiles everything under `gen` in the folder. @throws Error with what the compiler says. */
  check(folder: string): void;
}

/** A folder in the cache that is made anew when the file that says what is in it changes. */
export class Kept {
  readonly folder: string;

  constructor(name: string, saysWhat: string) {
    const version = hash('sha256', readFileSync(saysWhat)).slice(0, 12);
    this.folder = join(CACHE, 'compilers', `${name}-${version}`);
    putOnPath(join(this.folder, 'bin'));
  }

  /** Half of a download does not pass for the whole. */
  get isThere(): boolean {
    return existsSync(join(this.folder, 'complete'));
  }

  make(work: (folder: string) => void): void {
    if (this.isThere) return;
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(join(this.folder, 'bin'), { recursive: true });
    work(this.folder);
    writeFileSync(join(this.folder, 'complete'), '');
  }
}
