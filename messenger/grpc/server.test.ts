import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { credentials, Metadata } from '@grpc/grpc-js';
import { describe, it } from 'mocha';
import {
  ConversationsServiceClient as ConversationsClient,
  ConversationsServiceService,
  type ListEntriesResponse,
} from '#proto/chatterbox/v1/conversations.ts';
import { startGrpcServer } from './server.ts';

describe('the gRPC server', () => {
  it('stops when the calls in flight are answered, and not before', async () => {
    const answers: (() => void)[] = [];
    const events: string[] = [];
    const server = await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      hasReflection: false,
      interceptors: [],
      addServices: (grpc) =>
        grpc.addService(ConversationsServiceService, {
          listEntries: (_: unknown, answer: (error: null, response: ListEntriesResponse) => void) =>
            answers.push(() => answer(null, { entries: [], nextPageToken: 'the end' })),
        }),
    });
    const client = new ConversationsClient(server.address, credentials.createInsecure());
    const answered = new Promise<string>((resolve, reject) => {
      client.listEntries(request('ada:bob'), new Metadata(), (error, answer) => {
        events.push('answered');
        if (error) reject(error);
        else resolve(answer.nextPageToken);
      });
    });
    while (answers.length === 0) await delay(1);
    const stopped = server[Symbol.asyncDispose]().then(() => events.push('stopped'));
    await delay(50);
    assert.deepEqual(events, []);
    answers[0]?.();
    assert.equal(await answered, 'the end');
    await stopped;
    assert.deepEqual(events, ['answered', 'stopped']);
    client.close();
  });
});

function request(conversation: string) {
  return { conversation, pageSize: 0, pageToken: '', afterSeq: 0n, beforeSeq: 0n, newestFirst: false };
}
