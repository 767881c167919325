import { Server, ServerCredentials } from '@grpc/grpc-js';
import {
  type SendResult,
  type SessionRequest,
  type SessionResponse,
  type SessionServiceServer,
  SessionServiceService,
} from '#proto/chatterbox/v1/session.ts';
import { type ChatServiceServer, ChatServiceService } from '#proto/org/harshit/messenger/chat/messages.ts';
import { answerProbes } from '../processes/probe.ts';

/** grpc-js alone: calls and frames are answered at once. Tells its address to whoever started it. */
const server = new Server();
let seq = 0n;
const unary: ChatServiceServer = {
  sendMessage: (_call, callback) => {
    const answer = { deliveryStatus: true, conversation: '', seq: ++seq, clientId: '', sentAt: 0n };
    callback(null, { ...answer, committed: 1, failed: 0, failures: [] });
  },
  streamMessage: (_call, callback) => callback(null),
  sendMessagesGrpc: (call) => call.end(),
};
const streams: SessionServiceServer = {
  send: (_call, callback) => callback(null),
  session: (call) => {
    call.on('data', ({ open, sends }: SessionRequest) =>
      call.write(
        open === undefined
          ? results(sends)
          : { ...EMPTY, caughtUp: { revision: 0n, listInbox: false, epoch: '' } },
      ),
    );
    call.on('end', () => call.end());
    call.on('error', () => {});
  },
};
server.addService(ChatServiceService, unary);
server.addService(SessionServiceService, streams);
answerProbes();
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.({ url: '', messenger: `127.0.0.1:${port}` });
});
process.on('SIGTERM', () => process.exit());

const EMPTY: SessionResponse = {
  results: [],
  entries: [],
  gaps: [],
  marks: [],
  caughtUp: undefined,
  notice: undefined,
  pong: undefined,
  refusedReads: [],
  opened: undefined,
};

function results(sends: SessionRequest['sends']): SessionResponse {
  return {
    ...EMPTY,
    results: sends.map(({ clientId }): SendResult => {
      const sent = { conversation: 'somebody:somebody else', seq: ++seq, clientId, sentTimeMs: 0n };
      return { clientId, sent, error: undefined, conversation: sent.conversation, attempt: 0n };
    }),
  };
}
