import { once } from 'node:events';
import type { Response } from 'express';
import { HEARTBEAT_MS } from '#common/http/ndjson.ts';
import type { Signal } from '../signal.ts';

/**
 * Writes everything after the cursor, a line that the past is told, and then what comes, until the reader or the
 * server goes. A slow reader is waited for: nothing is held for it but one page.
 */
export async function serveFeed(
  response: Response,
  after: number,
  changed: Signal,
  stop: AbortSignal,
  read: (after: number) => Promise<FeedLine[]>,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const signal = AbortSignal.any([stop, gone.signal]);
  let cursor = after;
  let isCaughtUp = false;
  // The first page is read before the status, so that a store that fails is answered as such.
  let seen = changed.count;
  let lines = await read(cursor);
  response.set({ 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' }).flushHeaders();
  while (!signal.aborted) {
    if (lines.length > 0) {
      cursor = lines.at(-1)?.seq ?? cursor;
      const text = lines.map(({ seq, fields }) => `${JSON.stringify({ cursor: String(seq), ...fields })}\n`);
      await write(response, text.join(''), signal);
    } else {
      if (!isCaughtUp)
        await write(response, `${JSON.stringify({ cursor: String(cursor), caught_up: true })}\n`, signal);
      isCaughtUp = true;
      if (!(await changed.passes(seen, HEARTBEAT_MS, signal))) await write(response, '\n', signal);
    }
    if (signal.aborted) break;
    seen = changed.count;
    lines = await read(cursor);
  }
  response.end();
}

async function write(response: Response, text: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted || response.write(text)) return;
  await once(response, 'drain', { signal }).catch(() => {});
}

export interface FeedLine {
  seq: number;
  fields: Record<string, unknown>;
}
