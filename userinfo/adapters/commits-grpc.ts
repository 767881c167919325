import { connectivityState, credentials, Metadata } from '@grpc/grpc-js';
import { SERVICE_CREDENTIAL } from '#common/service-secret.ts';
import { CommitFeedServiceClient, type FollowResponse } from '#proto/chatterbox/internal/v1/commit_feed.ts';
import { coalesce } from '../coalesce.ts';
import type { Chat, CommitBatch, Commits } from '../ports.ts';

/** The name that our place in the feed is kept under. */
const READER = 'userinfo';

/** A response weighs one commit more than it holds. */
const COMMITS_AT_ONCE = 2_000;

/**
 * The commits as the messengers stream them to services over gRPC: each of them tells all, so one is followed, and the next one
 * after its stream has ended.
 */
export class CommitsGrpc implements Commits, Disposable {
  readonly #addresses: readonly string[];
  readonly #secret: string;
  #client: CommitFeedServiceClient | undefined;
  #opened = 0;
  #isFollowing = false;

  constructor(addresses: readonly string[], serviceSecret: string) {
    this.#addresses = addresses;
    this.#secret = serviceSecret;
  }

  get isConnected(): boolean {
    const state = this.#client?.getChannel().getConnectivityState(false);
    return this.#isFollowing && state === connectivityState.READY;
  }

  async *follow(cursor: string, signal: AbortSignal): AsyncGenerator<CommitBatch> {
    // The graph was asked for the cursor before, and a signal that has come meanwhile does not come again.
    signal.throwIfAborted();
    const metadata = new Metadata();
    metadata.set(SERVICE_CREDENTIAL, this.#secret);
    const call = this.#connect().follow(metadata);
    // The loop below sees every failure; cancelling after it has ended would otherwise be an unheard one.
    call.on('error', () => {});
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel);
    try {
      call.write({ reader: READER, cursor });
      this.#isFollowing = true;
      const weightOf = ({ commits }: FollowResponse) => 1 + commits.length;
      for await (const responses of coalesce(call, cancel, COMMITS_AT_ONCE, weightOf)) {
        const batch = toBatch(responses);
        yield batch;
        if (batch.cursor !== '') call.write({ reader: '', cursor: batch.cursor });
      }
    } finally {
      this.#isFollowing = false;
      signal.removeEventListener('abort', cancel);
    }
  }

  /** To the next messenger in turn. Not to one that is away: who asks again is sent to another. */
  #connect(): CommitFeedServiceClient {
    this.#client?.close();
    const address = this.#addresses[this.#opened++ % this.#addresses.length] ?? '';
    this.#client = new CommitFeedServiceClient(address, credentials.createInsecure(), OPTIONS);
    return this.#client;
  }

  [Symbol.dispose](): void {
    this.#client?.close();
  }
}

const OPTIONS = {
  // Each try is a connection of its own, without the waits of the one before.
  'grpc.use_local_subchannel_pool': 1,
  // One that is silent is left for another within seconds.
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

function toBatch(responses: FollowResponse[]): CommitBatch {
  return {
    chats: responses.flatMap((response) => response.commits).flatMap(toChat),
    cursor: responses.findLast((response) => response.cursor !== '')?.cursor ?? '',
  };
}

/** A pair chats; notes to oneself and groups are nobody's contact. A time past 2^53 is no time that a store could give back. */
function toChat({ members, sentAt }: FollowResponse['commits'][number]): Chat[] {
  const [one, other, ...more] = members;
  if (one === undefined || other === undefined || one === other || more.length > 0) return [];
  const at = Number(sentAt);
  return Number.isSafeInteger(at) ? [{ one, other, at }] : [];
}
