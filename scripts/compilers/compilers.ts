import type { Compiler } from './compiler.ts';
import { go } from './go.ts';
import { java } from './java.ts';
import { python } from './python.ts';
import { typescript } from './typescript.ts';

export const COMPILERS: readonly Compiler[] = [go, java, python, typescript];
