import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Row, Sum } from '../../common/transfer/transfer.ts';

/** In the folder of an export: `PART/TABLE.ndjson`, one row in each line, and when all is written, `manifest.json` with what it amounts to. */
const Manifest = z.object({
  version: z.literal(1),
  id: z.string(),
  exportedAt: z.string(),
  /** Of each `PART/TABLE`. */
  tables: z.record(z.string(), z.object({ rows: z.number(), checksum: z.string() })),
});
const ROW = z.record(z.string(), z.union([z.string(), z.number()]));

export type Manifest = z.infer<typeof Manifest>;

/** Makes the folder, for its owner only: there are password hashes in it. One that an earlier run left unfinished is begun again. @throws Error when it is complete. */
export async function beginFolder(folder: string): Promise<void> {
  if (existsSync(join(folder, 'manifest.json')))
    throw new Error(`${folder} holds an export already; name another folder`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

/** Appends rows to the file of one table, which begins empty; disposing brings it to the disk. */
export async function openTable(folder: string, name: string) {
  const path = pathOf(folder, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'w', 0o600);
  return {
    async append(rows: readonly Row[]): Promise<void> {
      await file.writeFile(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await file.sync();
      await file.close();
    },
  };
}

/** The last thing: from now on the export is complete. */
export async function writeManifest(folder: string, tables: Record<string, Sum>): Promise<void> {
  const manifest: Manifest = {
    version: 1,
    id: randomUUID(),
    exportedAt: new Date().toISOString(),
    tables,
  };
  const draft = join(folder, 'manifest.json.draft');
  await rm(draft, { force: true });
  const file = await open(draft, 'w', 0o600);
  await file.writeFile(JSON.stringify(manifest, undefined, 2));
  await file.sync();
  await file.close();
  await rename(draft, join(folder, 'manifest.json'));
}

/** @throws Error in the user's words when there is no complete export of a version that this program knows. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, 'manifest.json');
  if (!existsSync(path)) throw new Error(`there is no complete export in ${folder}`);
  try {
    return Manifest.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new Error(`${path} is not one that this version understands`, { cause });
  }
}

/** The rows of a table from the `skip`th on, in batches of at most so many rows or about so many characters. @throws Error naming the line that is no row. */
export async function* readTable(
  folder: string,
  name: string,
  skip: number,
  limit: { rows: number; text: number },
): AsyncGenerator<Row[]> {
  const lines = createInterface({ input: createReadStream(pathOf(folder, name)), crlfDelay: Infinity });
  let batch: Row[] = [];
  let text = 0;
  let number = 0;
  for await (const line of lines) {
    if (number++ < skip) continue;
    batch.push(parse(line, name, number));
    text += line.length;
    if (batch.length < limit.rows && text < limit.text) continue;
    yield batch;
    batch = [];
    text = 0;
  }
  if (batch.length > 0) yield batch;
}

function parse(line: string, name: string, number: number): Row {
  try {
    return ROW.parse(JSON.parse(line));
  } catch (cause) {
    throw new Error(`line ${number} of ${name}.ndjson is not a row`, { cause });
  }
}

function pathOf(folder: string, name: string): string {
  return join(folder, `${name}.ndjson`);
}
