import { once } from 'node:events';
import type { Response } from 'express';
import { HEARTBEAT_MS } from '#common/http/ndjson.ts';
import type { Signal } from '../signal.ts';

/**
 * Writes everything after the cursor, a line that the past is told, and then what comes, until the reader or the
 * server goes. A slow reader is waited for: nothing is held for it but one page.
 *
 * A reader whose cursor is no place in the feed (any more) may have missed something. It gets a line `reset`, and after
 * that everything from the beginning. Without a cursor it begins there, and is told no reset.
 */
export async function serveFeed(
  response: Response,
  after: number | undefined,
  { read, isPlace, changed }: FeedSource,
  stop: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const signal = AbortSignal.any([stop, gone.signal]);
  let cursor = after ?? 0;
  // What was forgotten before it began is nothing that it can miss.
  let isFresh = after === undefined;
  let isCaughtUp = false;
  let seen = changed.count;
  const next = async (): Promise<FeedLine[] | undefined> => {
    seen = changed.count;
    const lines = await read(cursor);
    // Asked after reading: what is forgotten in between is noticed.
    return (await isPlace(cursor, isFresh)) ? lines : undefined;
  };
  // The first page is read before the status, so that a store that fails is answered as such.
  let lines = await next();
  response.set({ 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' }).flushHeaders();
  while (!signal.aborted) {
    if (lines === undefined) {
      cursor = 0;
      isFresh = true;
      isCaughtUp = false;
      await write(response, [{ cursor: '0', reset: true }], signal);
    } else if (lines.length > 0) {
      cursor = lines.at(-1)?.seq ?? cursor;
      await write(
        response,
        lines.map(({ seq, fields }) => ({ cursor: String(seq), ...fields })),
        signal,
      );
    } else {
      isFresh = false;
      if (!isCaughtUp) await write(response, [{ cursor: String(cursor), caught_up: true }], signal);
      isCaughtUp = true;
      if (!(await changed.passes(seen, HEARTBEAT_MS, signal))) await write(response, [], signal);
    }
    if (signal.aborted) break;
    lines = await next();
  }
  response.end();
}

/** None is a heartbeat. */
async function write(response: Response, lines: object[], signal: AbortSignal): Promise<void> {
  const text = lines.length === 0 ? '\n' : lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  if (signal.aborted || response.write(text)) return;
  await once(response, 'drain', { signal }).catch(() => {});
}

export interface FeedSource {
  /** A page of what comes after this place, in order. */
  read(after: number): Promise<FeedLine[]>;
  /**
   * Whether a reader at this place gets all that it has not read: the place does not lie beyond the end and, unless it
   * is fresh (on its way from the beginning), not before anything that was forgotten.
   */
  isPlace(cursor: number, isFresh: boolean): Promise<boolean>;
  /** Raised when there may be more. */
  changed: Signal;
}

export interface FeedLine {
  seq: number;
  fields: Record<string, unknown>;
}
