import assert from 'node:assert/strict';
import { conversationsStub, unary } from '../../outside/grpc.ts';
import type { Account } from '../../outside/http.ts';

export interface Logged {
  seq: number;
  clientId: string;
  text: string;
}

const PAGE = 500;

/** A conversation from its first entry to its last, as a member reads it. */
export async function readLog(url: string, { token }: Account, conversation: string): Promise<Logged[]> {
  const stub = conversationsStub(url);
  const log: Logged[] = [];
  try {
    for (let page_token = ''; ; ) {
      const request = { conversation, page_size: PAGE, page_token };
      const page = await unary(stub, 'ListEntries', request, { token });
      for (const { seq, client_id, message } of page.entries)
        log.push({ seq: Number(seq), clientId: client_id, text: message.text });
      page_token = page.next_page_token;
      if (page_token === '') return log;
    }
  } finally {
    stub.close();
  }
}

/** @throws AssertionError unless it counts 1, 2, 3 and no client id is there twice. */
export function assertWhole(log: Logged[]): void {
  assert.deepEqual(
    log.map(({ seq }) => seq),
    log.map((_, i) => i + 1),
    'the log has no gap, and is in order',
  );
  assert.equal(new Set(log.map(({ clientId }) => clientId)).size, log.length, 'no client id has two seqs');
}
