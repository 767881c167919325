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
import type { LiveCalls } from '../live-calls.ts';
import type { JournalPage } from '../ports.ts';
import { decodedByUs, endWith, incoming } from './methods.ts';
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
  const requests = incoming<FollowRequest>(call);
  const first = await requests.next();
  if (first.done) return void call.end();
  const { reader, cursor } = first.value;
  if (reader === '') throw invalidField('reader', 'must name the reader');

  // Either ends the call: the reader by its half-close, we by stopping.
  await Promise.race([
    takeAcknowledgements(requests, (place) => feed.acknowledge(reader, place)),
    send(call, feed.follow(cursor, signal)),
  ]);
  stopped.abort();
  live.signal.throwIfAborted();
  call.end();
}

async function takeAcknowledgements(
  requests: AsyncGenerator<FollowRequest>,
  acknowledge: (cursor: string) => Promise<void>,
): Promise<void> {
  for await (const { cursor } of requests) await acknowledge(cursor);
}

async function send(call: Call, pages: AsyncIterable<JournalPage>): Promise<void> {
  const outbox = new Outbox<FollowResponse>(call, { limit: PAGES_IN_FLIGHT, onRoom() {} });
  for await (const { commits, cursor } of pages) {
    outbox.write({
      commits: commits.map((c) => ({ ...c, lastSeq: BigInt(c.lastSeq), sentAt: BigInt(c.sentAt) })),
      cursor,
    });
    await outbox.room();
  }
}
