import { credentials } from '@grpc/grpc-js';
import { ConversationsServiceClient, type ListEntriesResponse } from '#proto/chatterbox/v1/conversations.ts';
import { check, type LoadResult, type Person, type Phases } from './load.ts';
import type { Timing } from './meter.ts';
import { Samples } from './samples.ts';
import { answerOf, metadataOf, STUB_OPTIONS } from './stubs.ts';

export interface HistoryParams extends Timing {
  person: Person;
  /** By what they are called in the results: each with its conversation and how many entries that has. */
  conversations: Record<string, { id: string; entries: number }>;
}

const PAGE = 50;

/** Pages of history from both ends and the middle of conversations, one call after the other. */
export async function runHistory(params: HistoryParams, phases: Phases): Promise<LoadResult> {
  const { person, conversations, warmUpSeconds, seconds } = params;
  const stub = new ConversationsServiceClient(person.address, credentials.createInsecure(), STUB_OPTIONS);
  const metadata = metadataOf(person);
  const places = Object.entries(conversations).flatMap(([of, { id, entries }]) =>
    placesOf(id, entries).map(({ name, ...place }) => ({
      ...place,
      name: `${of}, ${name}`,
      samples: new Samples(),
    })),
  );
  const readUntil = async (end: number, isMeasured: boolean) => {
    // In turns, so that all of them see the same machine.
    while (performance.now() < end)
      for (const { request, first, samples: kept } of places) {
        const began = performance.now();
        const { entries } = await answerOf<ListEntriesResponse>((done) =>
          stub.listEntries(request, metadata, done),
        );
        if (isMeasured) kept.add(performance.now() - began);
        const seqs = entries.map(({ seq }) => Number(seq)).sort((a, b) => a - b);
        check(seqs.length === PAGE && seqs.every((seq, i) => seq === first + i), 'a page is whole');
      }
  };
  await readUntil(performance.now() + warmUpSeconds * 1000, false);
  phases.begin();
  await readUntil(performance.now() + seconds * 1000, true);
  phases.end();
  stub.close();
  const figures: Record<string, number> = {};
  for (const { name, samples } of places) {
    const { p50, p99 } = samples.percentiles();
    Object.assign(figures, { [`${name}, p50 ms`]: p50, [`${name}, p99 ms`]: p99 });
  }
  return { figures };
}

/** The first seq is the lowest of the page, in whatever order it comes. */
function placesOf(conversation: string, entries: number) {
  const whole = {
    conversation,
    pageSize: PAGE,
    pageToken: '',
    afterSeq: 0n,
    beforeSeq: 0n,
    newestFirst: false,
  };
  const middle = Math.ceil(entries / 2) + 1;
  return [
    { name: 'newest', first: entries - PAGE + 1, request: { ...whole, newestFirst: true } },
    { name: 'middle', first: middle - PAGE, request: { ...whole, beforeSeq: BigInt(middle) } },
    { name: 'oldest', first: 1, request: whole },
  ];
}
