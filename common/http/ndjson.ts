import { SERVICE_CREDENTIAL } from '../service-secret.ts';

/** The longest line that is read. */
const LONGEST_LINE = 65_536;

/** A line that carries nothing and shows that the feed is alive. */
export const HEARTBEAT_MS = 10_000;

/**
 * Reads an internal feed: a response of one JSON value per line, `after` being the cursor. Empty lines are heartbeats.
 * Ends when the server does; throws when the connection breaks, is silent for three heartbeats, or is not answered 200.
 */
export async function* readFeed<Item>(
  url: string,
  after: string,
  secret: string,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error('the feed went silent')), 3 * HEARTBEAT_MS);
  try {
    const response = await fetch(`${url}?after=${encodeURIComponent(after)}`, {
      headers: { [SERVICE_CREDENTIAL]: secret },
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
    let rest = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      timer.refresh();
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) throw new Error(`${url} sent a line that is too long`);
      for (const line of lines) if (line !== '') yield JSON.parse(line) as Item;
    }
  } finally {
    clearTimeout(timer);
  }
}
