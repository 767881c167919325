import { connectivityState, credentials, Metadata } from '@grpc/grpc-js';
import { SERVICE_CREDENTIAL } from '#common/service-secret.ts';
import { CommitFeedServiceClient, type FollowResponse } from '#proto/chatterbox/internal/v1/commit_feed.ts';
import { coalesce } from '../coalesce.ts';
import type { Chat, CommitBatch, Commits } from '../ports.ts';

/** The name that our place in the feed is kept under. */
const READER = 'userinfo';

const RESPONSES_AT_ONCE = 100;

/** The commits as the messenger streams them to services over gRPC. */
export class CommitsGrpc implements Commits, Disposable {
  readonly #client: CommitFeedServiceClient;
  readonly #secret: string;
  #isFollowing = false;

  constructor(address: string, serviceSecret: string) {
    this.#secret = serviceSecret;
    this.#client = new CommitFeedServiceClient(address, credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.max_receive_message_length': 16 * 1024 * 1024,
    });
  }

  get isConnected(): boolean {
    return (
      this.#isFollowing && this.#client.getChannel().getConnectivityState(false) === connectivityState.READY
    );
  }

  async *follow(cursor: string, signal: AbortSignal): AsyncGenerator<CommitBatch> {
    const metadata = new Metadata({ waitForReady: true });
    metadata.set(SERVICE_CREDENTIAL, this.#secret);
    const call = this.#client.follow(metadata);
    // The loop below sees every failure; cancelling after it has ended would otherwise be an unheard one.
    call.on('error', () => {});
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel);
    try {
      call.write({ reader: READER, cursor });
      this.#isFollowing = true;
      for await (const responses of coalesce<FollowResponse>(call, cancel, RESPONSES_AT_ONCE)) {
        const batch = toBatch(responses);
        yield batch;
        if (batch.cursor !== '') call.write({ reader: '', cursor: batch.cursor });
      }
    } finally {
      this.#isFollowing = false;
      signal.removeEventListener('abort', cancel);
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function toBatch(responses: FollowResponse[]): CommitBatch {
  return {
    chats: responses.flatMap((response) => response.commits).flatMap(toChat),
    cursor: responses.findLast((response) => response.cursor !== '')?.cursor ?? '',
  };
}

/** A pair chats; notes to oneself and groups are nobody's contact. */
function toChat({ members, sentAt }: FollowResponse['commits'][number]): Chat[] {
  const [one, other, ...more] = members;
  if (one === undefined || other === undefined || one === other || more.length > 0) return [];
  return [{ one, other, at: Number(sentAt) }];
}
