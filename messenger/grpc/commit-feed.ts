import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import { invalidField } from '#common/errors.ts';
import type { Log } from '#common/log.ts';
import {
  type CommitFeedServiceServer,
  CommitFeedServiceService,
  type FollowRequest,
  type FollowResponse,
} from '#proto/chatterbox/internal/v1/commit_feed.ts';
import type { CommitFeed } from '../commit-feed.ts';
import { LIMITS } from '../limits.ts';
import type { LiveCalls } from '../live-calls.ts';
import type { JournalPage } from '../ports.ts';
import { decodedByUs } from './decoding.ts';
import { eachRequest, endWith } from './methods.ts';
import { Outbox } from './outbox.ts';

export interface CommitFeedOptions {
  feed: CommitFeed;
  liveCalls: LiveCalls;
  log: Log;
}

type Call = ServerDuplexStream<FollowRequest, FollowResponse>;

const PAGES_IN_FLIGHT = 4;

/** Services have no login session that could end. */
const NO_LOGIN = '';

/** The feed of commits, for our other services. */
export function addCommitFeedService(server: Server, options: CommitFeedOptions): void {
  const service: CommitFeedServiceServer = {
    follow: (call) => {
      serve(call, options).catch((thrown: unknown) => endWith(call, thrown, options.log));
    },
  };
  server.addService(decodedByUs(CommitFeedServiceService), service);
}

async function serve(call: Call, { feed, liveCalls }: CommitFeedOptions): Promise<void> {
  using live = liveCalls.open(NO_LOGIN);
  const stopped = new AbortController();
  call.on('cancelled', () => stopped.abort());
  const signal = AbortSignal.any([stopped.signal, live.signal]);
  let reader: string | undefined;
  const sending = Promise.withResolvers<void>();
  const taking = eachRequest<FollowRequest>(call, (request) => {
    if (reader !== undefined) return feed.acknowledge(reader, request.cursor);
    if (request.reader === '') throw invalidField('reader', 'must name the reader');
    if (request.reader.length > LIMITS.journalReader)
      throw invalidField('reader', `must have at most ${LIMITS.journalReader} characters`);
    reader = request.reader;
    send(call, feed.follow(request.cursor, signal, reader)).then(sending.resolve, sending.reject);
    return undefined;
  });

  // Either ends the call: the reader by its half-close, we by stopping.
  await Promise.race([taking, sending.promise]);
  stopped.abort();
  live.signal.throwIfAborted();
  call.end();
}

async function send(call: Call, pages: AsyncIterable<JournalPage>): Promise<void> {
  const outbox = new Outbox<FollowResponse>(call, PAGES_IN_FLIGHT);
  for await (const { commits, cursor } of pages) {
    outbox.write({
      commits: commits.map((c) => ({ ...c, lastSeq: BigInt(c.lastSeq), sentAt: BigInt(c.sentAt) })),
      cursor,
    });
    await outbox.room();
  }
}
